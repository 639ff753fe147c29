//! The topologies of the Processor API.

use crate::functions::{Text, number, or_null};
use crate::parameters::Parameters;
use crate::store_commands;
use crate::stores::Entry;
use crate::table::Case;
use std::time::Duration;
use streams::prelude::*;

type Context<'c> = ProcessorContext<'c, Text, Text>;
type Input<'r> = Record<'r, Text, Text>;

/// Drafts the topology of this name, if it is one of these.
pub(crate) fn draft(
    name: &str,
    builder: &TopologyBuilder,
    parameters: &Parameters<'_>,
) -> Option<()> {
    let input = |topic: &str| -> KStream<Text, Text> { builder.stream(topic) };
    let interval = || duration(parameters.number("interval_ms"));
    match name {
        "processor-headers" => input("in").process(SeenHeaders::default).to("out"),
        "processor-timestamps" => input("in").process(|| Timestamps).to("out"),
        "processor-metadata" => {
            let both = input("in").merge(&input("other"));
            both.process(|| Metadata).to("out");
        }
        "process-values" => {
            let store = builder.store(Stores::key_value::<String, i64>("store"));
            let counted = input("in").process_values_with(&store, |store| CountPerKey { store });
            counted.to("out");
        }
        "processor-stream-time-punctuator"
        | "processor-wall-clock-punctuator"
        | "processor-cancelled-punctuator"
        | "processor-anchored-punctuator" => {
            let ticker = Ticker {
                clock: match name {
                    "processor-wall-clock-punctuator" => PunctuationType::WallClockTime,
                    _ => PunctuationType::StreamTime,
                },
                interval: interval(),
                start: parameters.number("start_ms"),
                ticks: parameters.number("ticks").unwrap_or(i64::MAX),
                schedule: None,
                count: 0,
            };
            input("in").process(move || ticker.clone()).to("out");
        }
        "processor-children" => {
            let (even, odd) = (builder.child(), builder.child());
            let _ = input("in").process_with((&even, &odd), |(even, odd)| Children { even, odd });
            even.stream().to("even");
            odd.stream().to("odd");
        }
        "processor-buffer" => {
            let (interval, store) = (interval(), Stores::key_value::<String, String>("store"));
            let store = builder.store(store);
            let buffer = move |store| Buffer { interval, store };
            input("in").process_with(&store, buffer).to("out");
        }
        _ => return store_commands::draft(name, builder, parameters),
    }
    Some(())
}

pub(crate) fn duration(millis: Option<i64>) -> Duration {
    let millis = millis.expect("the topology has the parameter");
    Duration::from_millis(millis.try_into().expect("it is not negative"))
}

/// What `store` holds in one of these topologies.
pub(crate) fn entries(
    case: &Case,
    driver: &mut TopologyTestDriver,
) -> Option<streams::Result<Vec<Entry>>> {
    let entry = |key: String, value: String| Entry {
        key: key.into(),
        value,
        timestamp: None,
    };
    match case.topology.as_str() {
        "process-values" => {
            let store = Stores::key_value::<String, i64>("store");
            Some(driver.with_store(store, |store, cx| {
                let entries = store.all(cx);
                entries
                    .map(|e| e.map(|(k, n)| entry(k, n.to_string())))
                    .collect()
            }))
        }
        "processor-buffer" | "key-value-store-commands" => {
            let store = Stores::key_value::<String, String>("store");
            Some(driver.with_store(store, |store, cx| {
                store.all(cx).map(|e| e.map(|(k, v)| entry(k, v))).collect()
            }))
        }
        _ => store_commands::entries(case, driver),
    }
}

#[derive(Default)]
struct SeenHeaders(u64);

impl Processor<Text, Text> for SeenHeaders {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        self.0 += 1;
        let mut headers = record.headers.clone();
        headers.add("seen", Some(self.0.to_string().as_bytes()));
        headers.remove("drop");
        cx.forward(record.with_headers(&headers))?;
        if self.0.is_multiple_of(3) {
            let mut own = Headers::default();
            own.add("own", Some(format!("h{}", self.0).as_bytes()));
            let third = Some("third".to_owned());
            cx.forward(record.with_value(&third).with_headers(&own))?;
        }
        Ok(())
    }
}

struct Timestamps;

impl Processor<Text, Text> for Timestamps {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        cx.forward(record.with_timestamp(record.timestamp + 100))?;
        cx.forward(record.with_timestamp((record.timestamp - 5).max(0)))?;
        let stream_time = format!("stream-time={}", cx.stream_time());
        cx.forward(record.with_value(&Some(stream_time)))
    }
}

struct Metadata;

impl Processor<Text, Text> for Metadata {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        let at = cx.record_metadata().expect("a record is being processed");
        let text = format!(
            "{}/{}/{} stream-time={}",
            at.topic,
            at.partition,
            at.offset,
            cx.stream_time()
        );
        cx.forward(record.with_value(&Some(text)))
    }
}

struct CountPerKey {
    store: KeyValueStore<String, i64>,
}

impl FixedKeyProcessor<Text, Text> for CountPerKey {
    type ValueOut = Text;

    fn process(
        &mut self,
        record: FixedKeyRecord<'_, Text, Text>,
        cx: &mut FixedKeyContext<'_, Text, Text>,
    ) -> Outcome {
        let Some(key) = record.key() else {
            return Ok(());
        };
        let count = self.store.get(cx, key)?.unwrap_or_default() + 1;
        self.store.put(cx, key, &count)?;
        let text = format!("{count}:{}", or_null(record.value()));
        cx.forward(record.with_value(&Some(text)))?;
        if count % 2 == 0 {
            let later = record.with_timestamp(record.timestamp() + 1);
            cx.forward(later.with_value(&Some("again".to_owned())))?;
        }
        Ok(())
    }
}

/// Counts records, and tells the count by the clock.
#[derive(Clone)]
struct Ticker {
    clock: PunctuationType,
    interval: Duration,
    start: Option<i64>,
    ticks: i64,
    schedule: Option<Schedule>,
    count: u64,
}

impl Ticker {
    fn tick(&mut self, time: i64, cx: &mut Context<'_>) -> Outcome {
        let (key, value) = (Some("tick".to_owned()), format!("{time}:{}", self.count));
        cx.forward(Record::new(&key, &Some(value), time))?;
        self.ticks -= 1;
        if let (0, Some(schedule)) = (self.ticks, self.schedule) {
            cx.cancel(schedule);
        }
        Ok(())
    }
}

impl Processor<Text, Text> for Ticker {
    type KeyOut = Text;
    type ValueOut = Text;

    fn init(&mut self, cx: &mut InitContext<'_, Self, Text, Text>) -> Outcome {
        self.schedule = Some(match self.start {
            Some(start) => cx.schedule_from(start, self.interval, self.clock, Self::tick),
            None => cx.schedule(self.interval, self.clock, Self::tick),
        });
        Ok(())
    }

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        self.count += 1;
        cx.forward(record)
    }
}

struct Children {
    even: Child<Text, Text>,
    odd: Child<Text, Text>,
}

impl Processor<Text, Text> for Children {
    type KeyOut = Text;
    type ValueOut = Text;

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        let Some(value) = record.value else {
            return Ok(());
        };
        let number = number(value);
        let all = number.is_multiple_of(5);
        if all || number.is_multiple_of(2) {
            cx.forward_to(&self.even, record)?;
        }
        if all || !number.is_multiple_of(2) {
            cx.forward_to(&self.odd, record)?;
        }
        Ok(())
    }
}

struct Buffer {
    interval: Duration,
    store: KeyValueStore<String, String>,
}

impl Buffer {
    fn flush(&mut self, time: i64, cx: &mut Context<'_>) -> Outcome {
        for (key, value) in self.store.all(cx).collect::<Outcome<Vec<_>>>()? {
            self.store.delete(cx, &key)?;
            cx.forward(Record::new(&Some(key), &Some(value), time))?;
        }
        Ok(())
    }
}

impl Processor<Text, Text> for Buffer {
    type KeyOut = Text;
    type ValueOut = Text;

    fn init(&mut self, cx: &mut InitContext<'_, Self, Text, Text>) -> Outcome {
        cx.schedule(self.interval, PunctuationType::StreamTime, Self::flush);
        Ok(())
    }

    fn process(&mut self, record: Input<'_>, cx: &mut Context<'_>) -> Outcome {
        match (record.key, record.value) {
            (Some(key), Some(value)) => self.store.put(cx, key, value),
            (Some(key), None) => self.store.delete(cx, key).map(|_| ()),
            (None, _) => Ok(()),
        }
    }
}
