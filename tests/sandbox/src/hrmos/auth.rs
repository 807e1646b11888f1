//! API KEYs and tokens of one company (rules 2 to 7).

use std::collections::HashMap;

use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::dates::{DAY_MS, Iso, instant, months_after, today};
use super::settings::{KeyLife, Settings};

/// How long a dead token is still remembered.
const REMEMBERED_MS: i64 = 2 * DAY_MS;

/// An API KEY: Base64 text as it is shown on the screen.
struct Key {
    text: String,
    issued_at: Millis,
    revoked: bool,
}

impl Key {
    fn expires_at(&self, life: KeyLife) -> Millis {
        match life {
            KeyLife::Months(months) => months_after(self.issued_at, months),
            KeyLife::Days(days) => Millis(self.issued_at.0 + i64::from(days) * DAY_MS),
            KeyLife::MonthsToTheDay(months) => instant(today(months_after(self.issued_at, months)), 1440),
        }
    }

    fn is_good(&self, now: Millis, life: KeyLife) -> bool {
        !self.revoked && now < self.expires_at(life)
    }
}

struct Token {
    /// Which one it is, from 1.
    number: u64,
    /// The key it was issued for, by its place.
    key: usize,
    expires_at: Millis,
    dead: bool,
}

/// Keys and tokens.
pub(crate) struct Door {
    company: String,
    keys: Vec<Key>,
    tokens: HashMap<String, Token>,
    issued: u64,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("keys", &self.keys.len())
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

impl Door {
    pub(crate) fn new(company: &str, key: String, issued_at: Millis) -> Self {
        let first = Key { text: key, issued_at, revoked: false };
        Self { company: company.to_owned(), keys: vec![first], tokens: HashMap::new(), issued: 0 }
    }

    /// A new key; whether the former one ends with it is a switch.
    pub(crate) fn regenerate(&mut self, now: Millis, key: &str, settings: &Settings) {
        if settings.regenerate_revokes_old {
            self.keys.iter_mut().for_each(|old| old.revoked = true);
        }
        if settings.regenerate_ends_tokens {
            self.end_tokens();
        }
        self.keys.push(Key { text: key.to_owned(), issued_at: now, revoked: false });
    }

    /// The key that is in force.
    pub(crate) fn key(&self) -> &str {
        self.keys.last().map_or("", |key| &key.text)
    }

    /// When the key that is in force ends. No call tells that.
    pub(crate) fn key_expires_at(&self, settings: &Settings) -> Millis {
        self.keys.last().map_or(Millis::NEVER, |key| key.expires_at(settings.key_life))
    }

    /// Ends all tokens.
    pub(crate) fn end_tokens(&mut self) {
        self.tokens.values_mut().for_each(|token| token.dead = true);
    }

    /// Whether `text` holds a key or a token that was ever good.
    pub(crate) fn holds_secret(&self, text: &str) -> bool {
        self.keys.iter().any(|key| text.contains(&key.text)) || self.tokens.keys().any(|token| text.contains(token))
    }

    /// A token for `authorization`, which has to be `Basic ` and the key as it is (rule 2).
    pub(crate) fn issue(&mut self, now: Millis, authorization: Option<&str>, settings: &Settings) -> Option<Value> {
        let text = authorization?.strip_prefix("Basic ")?;
        let good = |key: &Key| key.text == text && key.is_good(now, settings.key_life);
        let key = self.keys.iter().position(good)?;
        if !settings.several_tokens {
            self.end_tokens();
        }
        self.tokens.retain(|_, token| now.0 - token.expires_at.0 < REMEMBERED_MS);
        Some(self.put(now, key, settings))
    }

    fn put(&mut self, now: Millis, key: usize, settings: &Settings) -> Value {
        self.issued += 1;
        let text = token_text(&self.company, self.issued);
        let expires_at = Millis(now.0 + settings.token_life_ms);
        let shown = shown(&text, expires_at);
        self.tokens.insert(text, Token { number: self.issued, key, expires_at, dead: false });
        shown
    }

    /// The live token that `authorization` names, and which one it is (rule 5).
    pub(crate) fn live(&self, now: Millis, authorization: Option<&str>, settings: &Settings) -> Option<(String, u64)> {
        let authorization = authorization?;
        let bearer = || authorization.strip_prefix("Bearer ").filter(|_| settings.accept_bearer);
        let text = authorization.strip_prefix("Token ").or_else(bearer)?;
        let token = self.tokens.get(text)?;
        let key = || self.keys.get(token.key).is_some_and(|key| key.is_good(now, settings.key_life));
        let live = !token.dead && now < token.expires_at && (settings.token_survives_key_expiry || key());
        live.then(|| (text.to_owned(), token.number))
    }

    /// Moves a live token's end (rule 6).
    pub(crate) fn postpone(&mut self, now: Millis, text: &str, settings: &Settings) -> Option<Value> {
        let token = self.tokens.get_mut(text)?;
        if settings.postpone_keeps_token {
            token.expires_at = Millis(now.0 + settings.token_life_ms);
            return Some(shown(text, token.expires_at));
        }
        token.dead = true;
        let key = token.key;
        Some(self.put(now, key, settings))
    }

    /// Ends a live token (rule 7).
    pub(crate) fn destroy(&mut self, text: &str) -> Option<Value> {
        let token = self.tokens.get_mut(text)?;
        token.dead = true;
        Some(shown(text, token.expires_at))
    }
}

fn shown(text: &str, expires_at: Millis) -> Value {
    json!({ "token": text, "expired_at": Iso(expires_at).to_string() })
}

/// 24 letters and digits: the same in every run, and no two alike.
fn token_text(company: &str, number: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let seed = company
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut state = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text: String = (0..20)
        .map(|_| {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            char::from(LETTERS[usize::try_from(state % 62).unwrap_or(0)])
        })
        .collect();
    text.push_str(&format!("{number:04x}"));
    text
}

/// The same number for the same number, and unlike for alike ones.
pub(crate) fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::super::dates::parse_instant;
    use super::*;

    #[test]
    fn a_key_ends_as_the_switch_says() {
        let key = Key {
            text: "a".to_owned(),
            issued_at: parse_instant("2026-01-31T15:30:10+09:00").unwrap(),
            revoked: false,
        };
        for (life, end) in [
            (KeyLife::Months(3), "2026-04-30T15:30:10.000+09:00"),
            (KeyLife::Days(90), "2026-05-01T15:30:10.000+09:00"),
            (KeyLife::MonthsToTheDay(3), "2026-05-01T00:00:00.000+09:00"),
        ] {
            assert_eq!(Iso(key.expires_at(life)).to_string(), end, "{life:?}");
            let end = parse_instant(end).unwrap();
            assert!(key.is_good(Millis(end.0 - 1), life) && !key.is_good(end, life));
        }
    }

    #[test]
    fn no_two_tokens_are_alike() {
        let mut texts: Vec<String> = (1..500).map(|number| token_text("a", number)).collect();
        texts.extend((1..500).map(|number| token_text("b", number)));
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 998);
        assert!(texts.iter().all(|text| text.len() == 24));
    }
}
