//! Recipients with their addresses; users and tokens.

use super::super::form;
use super::super::moment;
use super::super::problem::{Place, quote};
use super::{Check, Section};
use base::Digest;
use base::limits::ADDRESSES_MAX;
use dispatch::directory::{ListedAddress, Recipient, Token, User};

impl Check<'_> {
    pub(super) fn recipient(&mut self, place: &Place<'_>, key: &str, form: &form::Recipient) -> Recipient {
        let language = form.language.as_deref().and_then(|text| self.name(&place.key("language"), text));
        Recipient {
            title: self.title(place, key, form.title.as_deref()),
            department: self.reference_at(
                place,
                "department",
                Section::Departments,
                form.department.as_deref(),
            ),
            language,
            addresses: self.addresses(&place.key("addresses"), &form.addresses),
            policy: self.reference_at(place, "policy", Section::Policies, form.policy.as_deref()),
        }
    }

    fn addresses(&mut self, place: &Place<'_>, forms: &[form::Address]) -> Vec<ListedAddress> {
        if forms.is_empty() {
            self.note(place, "a recipient needs at least one address");
        } else if forms.iter().all(|form| form.default == Some(false)) {
            self.note(
                place,
                "none of the addresses is a default one, so a step that names no channel would reach nobody",
            );
        }
        if forms.len() > ADDRESSES_MAX {
            self.note(place, format!("there are {} addresses; at most {ADDRESSES_MAX}", forms.len()));
        }
        let mut listed = Vec::with_capacity(forms.len().min(ADDRESSES_MAX));
        for (at, form) in forms.iter().enumerate().take(ADDRESSES_MAX) {
            let place = place.at(at);
            let earlier = forms.iter().take(at);
            if earlier.into_iter().any(|it| (&it.channel, &it.value) == (&form.channel, &form.value)) {
                self.note(&place, format!("{}:{} is listed twice", form.channel, quote(&form.value)));
            }
            let parts = (&place.key("channel"), &place.key("value"));
            let address = self.address(parts, &form.channel, &form.value);
            let default = form.default.unwrap_or(true);
            listed.extend(address.map(|address| ListedAddress { address, default }));
        }
        listed
    }

    pub(super) fn token(&mut self, place: &Place<'_>, _key: &str, form: &form::Token) -> Token {
        let digest = Digest::parse(&form.sha256).unwrap_or_else(|| {
            self.note(&place.key("sha256"), "a SHA-256 has 64 hexadecimal digits");
            Digest([0; 32])
        });
        let expires = form.expires.as_deref().and_then(|text| {
            let moment = moment::read(text);
            if moment.is_none() {
                let detail =
                    format!("{} is not a moment such as \"2027-01-01T00:00:00Z\" (RFC 3339)", quote(text));
                self.note(&place.key("expires"), detail);
            }
            moment
        });
        Token {
            digest,
            scopes: self.scopes(place, &form.scopes),
            expires,
            refuse_solo: form.refuse_solo,
            severities: self.severities(&place.key("severities"), &form.severities),
        }
    }

    pub(super) fn user(&mut self, place: &Place<'_>, key: &str, form: &form::User) -> User {
        // The text itself is never quoted: somebody may have written the password instead of its hash.
        let hash = &form.password;
        if !hash.starts_with("$argon2id$") || hash.len() > 512 || !hash.bytes().all(|b| b.is_ascii_graphic())
        {
            let detail =
                "a password is given as its Argon2id hash in PHC format, which starts with $argon2id$";
            self.note(&place.key("password"), detail);
        }
        User {
            title: self.title(place, key, form.title.as_deref()),
            password: hash.as_str().into(),
            scopes: self.scopes(place, &form.scopes),
        }
    }
}
