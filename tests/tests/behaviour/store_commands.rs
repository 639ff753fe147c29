//! Processors whose values are commands on a store.

use crate::functions::Text;
use crate::parameters::Parameters;
use crate::processors::duration;
use crate::stores::Entry;
use crate::table::Case;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Bound;
use streams::prelude::*;
use streams::{PutVersion, StoreBuilder, StoreContext, VersionedRecord};

type Texts = KeyValueStore<str, String>;
type Windows = WindowStore<str, String>;
type Sessions = SessionStore<str, String>;
type Versions = VersionedKeyValueStore<str, String>;

/// Drafts the topology of this name, if it is one of these.
pub(crate) fn draft(
    name: &str,
    builder: &TopologyBuilder,
    parameters: &Parameters<'_>,
) -> Option<()> {
    let input: KStream<Text, Text> = builder.stream("in");
    let number = |name| parameters.number(name);
    match name {
        "key-value-store-commands" => {
            let store = builder.store(Stores::key_value::<str, String>("store"));
            input.process_with(&store, Commands).to("out");
        }
        "window-store-commands" => {
            let duplicates = parameters.flag("retain_duplicates", false);
            let store = windows(number("retention_ms"), number("size_ms"), duplicates);
            let store = builder.store(store);
            input.process_with(&store, Commands).to("out");
        }
        "session-store-commands" => {
            let store = builder.store(sessions(number("retention_ms")));
            input.process_with(&store, Commands).to("out");
        }
        "versioned-store-commands" => {
            // Segments are ours to choose: they do not show.
            let _ = number("segment_interval_ms");
            let store = builder.store(versions(number("history_retention_ms")));
            input.process_with(&store, Commands).to("out");
        }
        _ => return None,
    }
    Some(())
}

fn windows(retention: Option<i64>, size: Option<i64>, duplicates: bool) -> StoreBuilder<Windows> {
    let store = Stores::window("store", duration(retention), duration(size));
    match duplicates {
        true => store.retain_duplicates(),
        false => store,
    }
}

fn sessions(retention: Option<i64>) -> StoreBuilder<Sessions> {
    Stores::session("store", duration(retention))
}

fn versions(retention: Option<i64>) -> StoreBuilder<Versions> {
    Stores::versioned_key_value("store", duration(retention))
}

/// What the store of a case holds, if it is one of these.
pub(crate) fn entries(
    case: &Case,
    driver: &mut TopologyTestDriver,
) -> Option<streams::Result<Vec<Entry>>> {
    let number = |name: &str| case.parameters.get(name).and_then(Value::as_i64);
    let windowed = |(windowed, value): (Windowed<String>, String)| {
        let Windowed { key, window } = windowed;
        entry(
            json!({ "key": key, "start": window.start, "end": window.end }),
            value,
        )
    };
    Some(match case.topology.as_str() {
        "window-store-commands" => {
            let duplicates = case.parameters.get("retain_duplicates");
            let duplicates = duplicates.and_then(Value::as_bool).unwrap_or_default();
            let store = windows(number("retention_ms"), number("size_ms"), duplicates);
            driver.with_store(store, |store, cx| {
                store.all(cx).map(|e| e.map(windowed)).collect()
            })
        }
        "session-store-commands" => {
            driver.with_store(sessions(number("retention_ms")), |store, cx| {
                let all = store.fetch_keys(cx, ..);
                all.map(|e| e.map(windowed)).collect()
            })
        }
        "versioned-store-commands" => {
            let store = versions(number("history_retention_ms"));
            let sent = case
                .steps
                .iter()
                .filter_map(|step| step.send.as_ref()?.key());
            let keys: BTreeSet<String> = sent.map(str::to_owned).collect();
            driver.with_store(store, |store, cx| {
                let mut entries = Vec::new();
                for key in keys {
                    if let Some(version) = store.get(cx, &key)? {
                        entries.push(Entry {
                            timestamp: Some(version.timestamp),
                            ..entry(key.into(), version.value)
                        });
                    }
                }
                Ok(entries)
            })
        }
        _ => return None,
    })
}

fn entry(key: Value, value: String) -> Entry {
    Entry {
        key,
        value,
        timestamp: None,
    }
}

/// The value is a command on the store.
struct Commands<S>(S);

impl<S: Answer + Send + 'static> Processor<Text, Text> for Commands<S> {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(
        &mut self,
        record: Record<'_, Text, Text>,
        cx: &mut ProcessorContext<'_, Text, Text>,
    ) -> Outcome {
        let (Some(key), Some(command)) = (record.key, record.value) else {
            return Ok(());
        };
        let parts: Vec<&str> = command.split(':').collect();
        let answer = self.0.answer(cx, key, record.timestamp, &parts)?;
        cx.forward(record.with_value(&Some(format!("{command} -> {answer}"))))
    }
}

trait Answer {
    fn answer(
        &self,
        cx: &mut impl StoreContext,
        key: &str,
        at: i64,
        command: &[&str],
    ) -> Outcome<String>;
}

fn or_null(value: Option<String>) -> String {
    value.unwrap_or_else(|| "null".to_owned())
}

fn list<T, S: Display>(
    entries: impl Iterator<Item = Outcome<T>>,
    show: impl Fn(T) -> S,
) -> Outcome<String> {
    let shown: Outcome<Vec<String>> = entries.map(|e| e.map(|e| show(e).to_string())).collect();
    Ok(format!("[{}]", shown?.join(",")))
}

fn time(text: &str) -> i64 {
    text.parse().expect("a time")
}

/// A range of keys, open where the table has `*`.
struct Keys(Option<String>, Option<String>);

impl Keys {
    fn new(from: &str, to: &str) -> Self {
        let bound = |text: &str| (text != "*").then(|| text.to_owned());
        Self(bound(from), bound(to))
    }

    fn range(&self) -> (Bound<&str>, Bound<&str>) {
        let bound = |key| Option::map_or(key, Bound::Unbounded, Bound::Included);
        (bound(self.0.as_deref()), bound(self.1.as_deref()))
    }
}

impl Answer for Texts {
    fn answer(
        &self,
        cx: &mut impl StoreContext,
        key: &str,
        _: i64,
        command: &[&str],
    ) -> Outcome<String> {
        let entries = match command {
            ["put", value] => {
                self.put(cx, key, &(*value).to_owned())?;
                return Ok("done".to_owned());
            }
            ["put-if-absent", value] => {
                let known = self.put_if_absent(cx, key, &(*value).to_owned())?;
                return Ok(or_null(known));
            }
            ["delete"] => return Ok(or_null(self.delete(cx, key)?)),
            ["get"] => return Ok(or_null(self.get(cx, key)?)),
            ["all"] => self.all(cx),
            ["reverse-all"] => self.reverse_all(cx),
            ["range", from, to] => self.range(cx, Keys::new(from, to).range()),
            ["reverse-range", from, to] => self.reverse_range(cx, Keys::new(from, to).range()),
            ["prefix", prefix] => self.prefix_scan(cx, prefix),
            other => panic!("no such command: {other:?}"),
        };
        list(entries, |(key, value)| format!("{key}={value}"))
    }
}

fn windowed((windowed, value): (Windowed<String>, String)) -> String {
    let Windowed { key, window } = windowed;
    format!("{key}@{}/{}={value}", window.start, window.end)
}

impl Answer for Windows {
    fn answer(
        &self,
        cx: &mut impl StoreContext,
        key: &str,
        at: i64,
        command: &[&str],
    ) -> Outcome<String> {
        let one = |(start, value): (i64, String)| format!("{start}={value}");
        match command {
            ["put", value] => self.put(cx, key, Some(&(*value).to_owned()), at)?,
            ["put-null"] => self.put(cx, key, None, at)?,
            ["fetch-one", start] => return Ok(or_null(self.get(cx, key, time(start))?)),
            ["fetch", from, to] => {
                return list(self.fetch(cx, key, time(from)..=time(to)), one);
            }
            ["backward-fetch", from, to] => {
                return list(self.backward_fetch(cx, key, time(from)..=time(to)), one);
            }
            ["fetch-keys", a, b, from, to] => {
                let times = time(from)..=time(to);
                return list(
                    self.fetch_keys(cx, Keys::new(a, b).range(), times),
                    windowed,
                );
            }
            ["backward-fetch-keys", a, b, from, to] => {
                let (keys, times) = (Keys::new(a, b), time(from)..=time(to));
                return list(self.backward_fetch_keys(cx, keys.range(), times), windowed);
            }
            ["fetch-all", from, to] => {
                return list(self.fetch_keys(cx, .., time(from)..=time(to)), windowed);
            }
            ["backward-fetch-all", from, to] => {
                let times = time(from)..=time(to);
                return list(self.backward_fetch_keys(cx, .., times), windowed);
            }
            ["all"] => return list(self.all(cx), windowed),
            ["backward-all"] => return list(self.backward_all(cx), windowed),
            other => panic!("no such command: {other:?}"),
        }
        Ok("done".to_owned())
    }
}

impl Answer for Sessions {
    fn answer(
        &self,
        cx: &mut impl StoreContext,
        key: &str,
        _: i64,
        command: &[&str],
    ) -> Outcome<String> {
        let session = |start: &str, end: &str| Window {
            start: time(start),
            end: time(end),
        };
        let found = match command {
            ["put", value, start, end] => {
                let value = (*value).to_owned();
                self.put(cx, key, session(start, end), Some(&value))?;
                return Ok("done".to_owned());
            }
            ["remove", start, end] => {
                self.remove(cx, key, session(start, end))?;
                return Ok("done".to_owned());
            }
            ["fetch-session", start, end] => {
                return Ok(or_null(self.fetch_session(cx, key, session(start, end))?));
            }
            ["find", from, to] => self.find_sessions(cx, key, time(from), time(to)),
            ["backward-find", from, to] => {
                self.backward_find_sessions(cx, key, time(from), time(to))
            }
            ["find-keys", a, b, from, to] => {
                let keys = Keys::new(a, b);
                self.find_sessions_of_keys(cx, keys.range(), time(from), time(to))
            }
            ["fetch"] => self.fetch(cx, key),
            ["fetch-keys", a, b] => self.fetch_keys(cx, Keys::new(a, b).range()),
            ["backward-fetch-keys", a, b] => self.backward_fetch_keys(cx, Keys::new(a, b).range()),
            other => panic!("no such command: {other:?}"),
        };
        list(found, windowed)
    }
}

impl Answer for Versions {
    fn answer(
        &self,
        cx: &mut impl StoreContext,
        key: &str,
        at: i64,
        command: &[&str],
    ) -> Outcome<String> {
        let put = |put: PutVersion| match put {
            PutVersion::Newest => "valid-to -1".to_owned(),
            PutVersion::Until(time) => format!("valid-to {time}"),
            PutVersion::Refused => format!("valid-to {}", i64::MIN),
        };
        let show = |version: Option<VersionedRecord<String>>| {
            // Kafka Streams' typed view does not hand the end of a version's validity on, so the tables have none.
            let show = |v: VersionedRecord<String>| format!("{}@{}..", v.value, v.timestamp);
            version.map_or("null".to_owned(), show)
        };
        Ok(match command {
            ["put", value] => put(self.put(cx, key, Some(&(*value).to_owned()), at)?),
            ["put-null"] => put(self.put(cx, key, None, at)?),
            ["delete"] => show(self.delete(cx, key, at)?),
            ["get"] => show(self.get(cx, key)?),
            ["as-of", time] => show(self.get_as_of(cx, key, self::time(time))?),
            other => panic!("no such command: {other:?}"),
        })
    }
}
