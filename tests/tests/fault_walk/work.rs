//! What the walked job does, and how that is judged.

use crate::stage::{Broken, Scene};
use std::time::Duration;
use streams::prelude::*;
use streams::{ByType, JobConfig};
use streams_broker::{ApiKey, SeenRequest};
use streams_tests::{Counts, Oracle, TestCluster};

pub(crate) const INPUT: &str = "input";
pub(crate) const OUTPUT: &str = "output";
pub(crate) const APPLICATION: &str = "walked";
pub(crate) const PARTITIONS: i32 = 2;
/// Where the records to be counted go to the partitions of their keys.
pub(crate) const REPARTITION: &str = "walked-counts-repartition";
const CHANGELOG: &str = "walked-counts-changelog";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Without state.
    Copy,
    /// By the last digit of the record: with a repartition topic, a store on disk, and its changelog.
    Count,
}

impl Work {
    pub(crate) fn scenes(self) -> &'static [Scene] {
        const SCENES: [Scene; 7] = [
            Scene::StartUp,
            Scene::Deal,
            Scene::Checkpoint,
            Scene::Join,
            Scene::Leave,
            Scene::End,
            Scene::Restore,
        ];
        match self {
            Work::Copy => SCENES
                .split_last()
                .map_or(&[], |(_, without_state)| without_state),
            Work::Count => &SCENES,
        }
    }

    /// Whether the request is walked by default: of the counting job what touches its state and its own topics, and what the
    /// group is asked when its tasks move, for the time it takes. The copying job shows the rest.
    pub(crate) fn usually_walks(self, scene: Scene, request: &SeenRequest) -> bool {
        match (self, scene) {
            (Work::Copy, _) | (_, Scene::Checkpoint | Scene::Restore) => true,
            (Work::Count, Scene::StartUp) => request.api == ApiKey::CreateTopics,
            (Work::Count, Scene::Join | Scene::Leave) => is_of_the_group(request),
            (Work::Count, Scene::Deal | Scene::End) => false,
        }
    }

    /// Whether each code is shown in the scene, and not only one of each class: not where others show it, and it takes long.
    pub(crate) fn shows_each_code(self, scene: Scene) -> bool {
        match self {
            Work::Copy => !matches!(scene, Scene::Join | Scene::Leave),
            Work::Count => matches!(scene, Scene::StartUp | Scene::Checkpoint | Scene::Restore),
        }
    }

    /// How many topics its group reads.
    pub(crate) fn source_topics(self) -> usize {
        match self {
            Work::Copy => 1,
            Work::Count => 2,
        }
    }

    pub(crate) fn topology(self, interval: Duration) -> Topology {
        let builder = TopologyBuilder::new(APPLICATION);
        builder.checkpoint_interval(interval);
        builder.transaction_timeout(Duration::from_secs(20));
        match self {
            Work::Copy => {
                let text: KStream<Keyless, str> = builder.source(INPUT, ByType, ByType);
                streams::sink(text, OUTPUT, ByType, ByType);
                builder.build()
            }
            Work::Count => {
                let text: KStream<Keyless, String> = builder.source(INPUT, ByType, ByType);
                let digits = text.group_by(|_, text| last_digit(text).to_owned());
                digits.count().named("counts").to_stream().to(OUTPUT);
                let topology = builder.build();
                let config = JobConfig {
                    // Now and then in a scene.
                    repartition_purge_interval: Duration::from_millis(20),
                    ..topology.config().clone()
                };
                topology.with_config(config)
            }
        }
    }

    /// Recounts as a read-committed consumer sees it: what came of each record is there once, in order, and the group is
    /// behind all of them.
    pub(crate) fn judge(self, cluster: &TestCluster, produced: usize) -> Broken<()> {
        let inputs = cluster.read_committed(INPUT);
        let outputs = cluster.read_committed(OUTPUT);
        if inputs.len() != produced {
            return Err(format!("{} inputs of {produced}", inputs.len()));
        }
        match self {
            Work::Copy => {
                let verdict = Oracle::recount(&inputs, &outputs);
                if !verdict.is_satisfied() {
                    return Err(format!(
                        "{} inputs, {} outputs: not exactly once\n{verdict}",
                        inputs.len(),
                        outputs.len()
                    ));
                }
            }
            Work::Count => {
                let counts = Counts::by(&inputs, |record| {
                    last_digit(record.text()).as_bytes().to_vec()
                });
                counts.check_told(&outputs)?;
                counts.check_kept(&cluster.read_committed(CHANGELOG))?;
            }
        }
        let each = i64::try_from(produced).unwrap() / i64::from(PARTITIONS);
        let committed = cluster.committed(APPLICATION, INPUT, PARTITIONS);
        if committed != [Some(each), Some(each)] {
            return Err(format!(
                "committed are {committed:?}, where {each} records are in each partition"
            ));
        }
        Ok(())
    }
}

fn last_digit(text: &str) -> &str {
    text.get(text.len().saturating_sub(1)..).unwrap_or_default()
}

/// Whether the group is asked. Members that are static, as here, never leave it: a `LeaveGroup` would be seen.
pub(crate) fn is_of_the_group(request: &SeenRequest) -> bool {
    matches!(
        request.api,
        ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::OffsetFetch
    )
}
