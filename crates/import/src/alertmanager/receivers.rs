//! Receivers become recipients: their mail addresses and webhooks. Of the others nothing can be kept but the name.

use super::{Fields, Reader, Receiver};
use crate::ImportError;
use crate::yaml::Node;
use base::limits::ADDRESSES_MAX;
use record::document::{TITLE_CHARS_MAX, form};

/// Where a recipient is reached of whom no address could be kept: nobody's, ever (RFC 2606 §2).
pub(crate) const NOWHERE: &str = "nobody@example.invalid";

impl Reader<'_> {
    pub(super) fn receivers(&mut self, node: &Node) -> Result<(), ImportError> {
        for receiver in node.list("receivers")? {
            let mut fields = Fields::of(receiver, "a receiver")?;
            let name = fields.take("name").map_or(Ok(""), |node| node.text("name"))?.to_owned();
            if name.is_empty() || self.receivers.contains_key(&name) {
                return Err(ImportError::at(receiver.line, "each receiver must have a name of its own"));
            }
            self.receiver(receiver.line, &name, &mut fields)?;
        }
        Ok(())
    }

    fn receiver(&mut self, line: usize, name: &str, fields: &mut Fields<'_>) -> Result<(), ImportError> {
        let mut addresses = Vec::new();
        let mut tell_resolved = false;
        for (key, node) in fields.rest() {
            for config in node.list(&key.text)? {
                let mut fields = Fields::of(config, &key.text)?;
                let told = fields.take("send_resolved").map(|node| node.flag("send_resolved")).transpose()?;
                let found = match key.text.as_str() {
                    "email_configs" => self.mails(name, config.line, &mut fields)?,
                    "webhook_configs" => self.hooks(name, config.line, &mut fields)?,
                    other => {
                        let advice = "give the recipient an address, by mail or webhook";
                        let what = format!("receiver {name:?}: {other}");
                        self.report.left(config.line, what, "there is no such way out yet", advice);
                        continue;
                    }
                };
                // Alertmanager tells webhooks of the end unless it is told not to, and mail only if it is.
                tell_resolved |= told.unwrap_or(key.text == "webhook_configs") && !found.is_empty();
                addresses.extend(found);
            }
        }
        let reached = !addresses.is_empty();
        if !reached {
            let why = "no address of it could be kept, and a recipient needs one";
            let advice = "give the recipient an address, or let a filter withhold what goes to it";
            self.report.changed(line, format!("receiver {name:?}"), why, advice);
            addresses.push(("mail", NOWHERE.to_owned()));
        }
        let told = self.told(name, addresses);
        self.receivers.insert(name.to_owned(), Receiver { name: told, tell_resolved, reached });
        Ok(())
    }

    /// A recipient with these addresses; a group of several where they are too many for one.
    fn told(&mut self, name: &str, addresses: Vec<(&'static str, String)>) -> String {
        let mut unique: Vec<(&str, String)> = Vec::new();
        for address in addresses {
            if !unique.contains(&address) {
                unique.push(address);
            }
        }
        let title = Some(name.chars().filter(|c| !is_break(*c)).take(TITLE_CHARS_MAX).collect::<String>());
        let title = title.filter(|title| !title.is_empty());
        let mut parts = Vec::new();
        for some in unique.chunks(ADDRESSES_MAX) {
            let key = self.people.give(name);
            let address = |(channel, value): &(&str, String)| form::Address {
                channel: (*channel).to_owned(),
                value: value.clone(),
                default: None,
            };
            let addresses = some.iter().map(address).collect();
            let recipient = form::Recipient { title: title.clone(), addresses, ..form::Recipient::default() };
            self.book.document.recipients.insert(key.clone(), recipient);
            parts.push(key);
        }
        if let [only] = parts.as_slice() {
            return only.clone();
        }
        let key = self.people.give(&format!("{name}-all"));
        let group = form::Group { title, members: parts, ..form::Group::default() };
        self.book.document.groups.insert(key.clone(), group);
        key
    }

    fn mails(
        &mut self,
        name: &str,
        line: usize,
        fields: &mut Fields<'_>,
    ) -> Result<Vec<(&'static str, String)>, ImportError> {
        let to = fields.take("to").map_or(Ok(""), |node| node.text("to"))?;
        let mut found = Vec::new();
        for one in to.split(',') {
            let one = one.trim();
            let inner = one.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(one);
            found.extend(self.address(name, line, "mail", inner));
        }
        self.details(name, fields, &["email_configs"]);
        Ok(found)
    }

    fn hooks(
        &mut self,
        name: &str,
        line: usize,
        fields: &mut Fields<'_>,
    ) -> Result<Vec<(&'static str, String)>, ImportError> {
        let mut found = Vec::new();
        match (fields.take("url"), fields.take("url_file")) {
            (Some(url), _) => {
                let url = url.text("url")?;
                found.extend(self.address(name, line, "webhook", url));
                let why = "the body that is posted is ours, and one alert's";
                let advice = "give the webhook provider a body as its receiver wants it";
                self.report.changed(line, format!("receiver {name:?}: webhook_configs"), why, advice);
            }
            (None, file) => {
                let line = file.map_or(line, |node| node.line);
                let why = "the address stands in a file of its own";
                self.report.left(
                    line,
                    format!("receiver {name:?}: url_file"),
                    why,
                    "write it into the directory",
                );
            }
        }
        self.details(name, fields, &["webhook_configs"]);
        Ok(found)
    }

    fn address(
        &mut self,
        name: &str,
        line: usize,
        channel: &'static str,
        value: &str,
    ) -> Option<(&'static str, String)> {
        let rule = self.rules.channels.iter().find(|rule| rule.name == channel);
        let wrong = match rule.map(|rule| (rule.check)(value)) {
            _ if value.is_empty() => Some("it is empty".to_owned()),
            _ if value.chars().any(is_break) => Some("it holds control characters".to_owned()),
            Some(Err(why)) => Some(why),
            Some(Ok(())) | None => None,
        };
        let Some(why) = wrong else { return Some((channel, value.to_owned())) };
        let shown: String = value.chars().take(80).collect();
        let what = format!("receiver {name:?}: {channel} address {shown:?}");
        self.report.left(line, what, &why, "write it into the directory by hand");
        None
    }

    /// Everything else that an integration says.
    fn details(&mut self, name: &str, fields: &Fields<'_>, place: &[&str]) {
        for (key, _) in fields.rest() {
            let what = format!("receiver {name:?}: {}.{}", place.join("."), key.text);
            let advice = "see the provider's settings in the node file, and templates";
            self.report.left(key.line, what, "an address has no such setting", advice);
        }
    }
}

pub(crate) fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
