//! What keeps other alerts quiet: `inhibit_rules` become inhibitions, one for each.

use super::matchers::{self, Keys};
use super::{Fields, Reader};
use crate::ImportError;
use crate::book::Inhibition;
use crate::yaml::Node;
use ::matcher::Matchers;

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
            let (source, target): (Matchers, Matchers) =
                (source.into_iter().collect(), target.into_iter().collect());
            if source.matches_nothing_said() || target.matches_nothing_said() {
                let why = "a side that matches where there is no label would match every alert";
                self.report.left(rule.line, "inhibit_rules", why, "name a label that source and target have");
                continue;
            }
            let name = self.names.give("inhibit");
            self.book.inhibitions.push(Inhibition { name, line: rule.line, source, target, equal });
        }
        Ok(())
    }
}
