//! What keeps other alerts quiet: `inhibit_rules` become inhibitions, one for each.

use super::matchers::{self, Keys};
use super::{Fields, Reader};
use crate::ImportError;
use crate::book::Inhibition;
use crate::yaml::Node;

const SOURCE: Keys = Keys { list: "source_matchers", equal: "source_match", expressions: "source_match_re" };
const TARGET: Keys = Keys { list: "target_matchers", equal: "target_match", expressions: "target_match_re" };

impl Reader<'_> {
    pub(super) fn inhibit_rules(&mut self, node: &Node) -> Result<(), ImportError> {
        for rule in node.list("inhibit_rules")? {
            let mut fields = Fields::of(rule, "an inhibit rule")?;
            let source = matchers::take(&mut fields, &SOURCE)?;
            let target = matchers::take(&mut fields, &TARGET)?;
            let equal = fields.take("equal").map_or_else(|| Ok(Vec::new()), |node| node.texts("equal"))?;
            self.unknown(&fields, "inhibit_rules.");
            if source.is_empty() || target.is_empty() {
                let why = "without matchers on both sides it would quiet everything";
                self.report.left(rule.line, "inhibit_rules", why, "name source and target");
                continue;
            }
            let name = self.names.give("inhibit");
            let (source, target) = (source.into_iter().collect(), target.into_iter().collect());
            self.book.inhibitions.push(Inhibition { name, line: rule.line, source, target, equal });
        }
        Ok(())
    }
}
