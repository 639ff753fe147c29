//! `group_by` of a table: take rows together by another key.

use crate::dsl::{KGroupedTable, KTable, Outlet};
use crate::processor::{Change, Context, NextChange, Outcome, ProcessChange, TableRecord};
use crate::serde::{HasSerde, MaybeNull, Serde};
use crate::topology::Kind;

impl<K: ?Sized + 'static, V: 'static> KTable<K, V> {
    /// Takes the rows together by another key, each with another value. What is counted or aggregated follows the table: an
    /// update takes the old value of a row out of its group before it puts in the new one. A row whose new key or value is
    /// null (`None`, where the type is an `Option`) is in no group.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let homes = builder.table::<String, String>("homes").named("homes");
    /// let inhabitants = homes.group_by(|person, city| (city.clone(), person.clone())).count().named("inhabitants");
    /// inhabitants.to_stream().to("inhabitants");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for (person, city) in [("ann", "Rome"), ("bob", "Rome"), ("ann", "Bern")] {
    ///     driver.pipe("homes", person, city)?;
    /// }
    /// let counts = driver.read_key_values::<String, i64>("inhabitants")?;
    /// let counts: Vec<_> = counts.iter().map(|(city, n)| (city.as_str(), *n)).collect();
    /// assert_eq!(counts, [("Rome", 1), ("Rome", 2), ("Rome", 1), ("Bern", 1)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<K2, V2>(
        &self,
        select: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KGroupedTable<K2::Present, V2::Present>
    where
        K2: MaybeNull<Present: HasSerde<Serde: Serde<K2::Present>> + Sized + PartialEq> + 'static,
        V2: MaybeNull<Present: HasSerde<Serde: Serde<V2::Present>> + Sized> + 'static,
    {
        self.view().send_old_values();
        let node = self.node_behind(Kind::Operator("group-by"));
        let outlet = Outlet::new();
        let children = outlet.clone();
        self.link(move || TableGroupBy {
            select,
            next: children.link(),
        });
        KGroupedTable::new(outlet, node, self.builder().clone())
    }
}

struct TableGroupBy<F, K, V> {
    select: F,
    next: NextChange<K, V>,
}

impl<K, V, K2, V2, F> ProcessChange<K, V> for TableGroupBy<F, K2::Present, V2::Present>
where
    K: ?Sized,
    K2: MaybeNull<Present: Sized + PartialEq>,
    V2: MaybeNull<Present: Sized>,
    F: Fn(&K, &V) -> (K2, V2) + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let change = record.change;
        if !change.is_latest {
            return Ok(());
        }
        let select = |value: &V| (self.select)(record.key, value);
        let (new, old) = (change.new.map(select), change.old.map(select));
        let (new, old) = (
            new.as_ref().and_then(present),
            old.as_ref().and_then(present),
        );
        let send = |cx: &mut Context, key, new, old| {
            let change = Change {
                new,
                old,
                is_latest: true,
            };
            let TableRecord {
                timestamp, headers, ..
            } = record;
            let record = TableRecord {
                key,
                change,
                timestamp,
                headers,
            };
            self.next.process(cx, record)
        };
        match (old, new) {
            // One group takes both in one step.
            (Some((old_key, old)), Some((key, new))) if old_key == key => {
                send(cx, key, Some(new), Some(old))
            }
            (old, new) => {
                if let Some((key, old)) = old {
                    send(cx, key, None, Some(old))?;
                }
                match new {
                    Some((key, new)) => send(cx, key, Some(new), None),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Key and value, if none of them is null.
fn present<K: MaybeNull, V: MaybeNull>(
    (key, value): &(K, V),
) -> Option<(&K::Present, &V::Present)> {
    Some((key.present()?, value.present()?))
}
