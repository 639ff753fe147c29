//! What the stores hold at the end of a case.

use crate::processors;
use crate::table::Case;
use serde::Deserialize;
use serde_json::Value;
use streams::testing::TopologyTestDriver;

/// An entry of a store, in the store's own order.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) key: Value,
    pub(crate) value: String,
    pub(crate) timestamp: Option<i64>,
}

/// Compares keys, values, timestamps and their order.
pub(crate) fn compare(
    case: &Case,
    driver: &mut TopologyTestDriver,
    name: &str,
    expected: &Value,
) -> Result<(), String> {
    let expected: Vec<Entry> =
        Deserialize::deserialize(expected).map_err(|e| format!("store {name}: {e}"))?;
    let found = processors::entries(case, driver).unwrap_or_else(|| table(driver, name));
    let found = found.map_err(|e| format!("store {name}: {e}"))?;
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "store {name} at the end\n  expected {expected:?}\n  found    {found:?}"
        )),
    }
}

fn table(driver: &TopologyTestDriver, name: &str) -> streams::Result<Vec<Entry>> {
    // Counts are 64-bit integers, which their first byte tells from text.
    let numbers = driver.key_value_store::<String, i64>(name);
    if let Ok(numbers) = numbers
        && numbers.iter().all(|(_, count)| count.value < 1 << 56)
    {
        let entry = |(key, count): (String, streams::ValueAndTimestamp<i64>)| Entry {
            key: key.into(),
            value: count.value.to_string(),
            timestamp: Some(count.timestamp),
        };
        return Ok(numbers.into_iter().map(entry).collect());
    }
    let texts = driver.key_value_store::<String, String>(name)?;
    let entry = |(key, text): (String, streams::ValueAndTimestamp<String>)| Entry {
        key: key.into(),
        value: text.value,
        timestamp: Some(text.timestamp),
    };
    Ok(texts.into_iter().map(entry).collect())
}
