//! The parameters behind the `?`, where one may come several times.

use super::Told;
use matcher::{Expression, Matcher, Matchers};

/// Each parameter with its value, in their order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn read(query: Option<&str>) -> Self {
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        Self(parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(both_decoded).collect())
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is true where it is absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Told> {
        match self.last(name) {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(Told::bad(format!("{name}: {other:?} is neither true nor false"))),
        }
    }

    /// What the parameters `filter` ask for: each is one matcher.
    pub(super) fn filter(&self) -> Result<Matchers, Told> {
        let texts = self.0.iter().filter(|(key, _)| key == "filter").map(|(_, value)| value);
        let read = |text: &String| {
            text.parse::<Matcher>().map_err(|error| Told::bad(format!("filter: {text:?}: {error}")))
        };
        texts.map(read).collect()
    }

    /// The receivers that are asked for; none is all.
    pub(super) fn receiver(&self) -> Result<Option<Expression>, Told> {
        let made = self.last("receiver").map(Expression::new);
        made.transpose().map_err(|why| Told::bad(format!("receiver: {why}")))
    }
}

fn both_decoded((name, value): (&str, &str)) -> (String, String) {
    (decoded(name), decoded(value))
}

/// `text` with `+` and `%20` as what they stand for; what stands for nothing is left as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let hex = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (other, _) => {
                bytes.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_may_come_more_than_once() {
        let params = Params::read(Some("filter=a%3D%22b+c%22&active=false&filter=d%3D~%22x%7Cy%22&%zz=1"));
        assert_eq!(params.filter().ok().map(|all| all.to_string()), Some(r#"{a="b c",d=~"x|y"}"#.to_owned()));
        assert_eq!(params.flag("active").ok(), Some(false));
        assert_eq!(params.flag("silenced").ok(), Some(true));
        assert_eq!(params.last("%zz"), Some("1"));
        assert!(Params::read(Some("filter=%7B")).filter().is_err());
        assert!(Params::read(Some("active=maybe")).flag("active").is_err());
        assert!(Params::read(Some("receiver=%28")).receiver().is_err());
        assert!(Params::read(None).receiver().ok().flatten().is_none());
    }
}
