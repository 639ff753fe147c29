//! The wire suite of `streams-broker` on the cluster that `TEST_KAFKA` names: its cases are what Apache Kafka does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../../streams-broker/tests/protocol/cases/mod.rs"]
mod cases;
#[path = "../../streams-broker/tests/protocol/wire/mod.rs"]
mod wire;

mod kafka {
    use std::sync::OnceLock;
    use std::time::Duration;

    use streams_tests::TestCluster;

    /// A cluster with the settings that the cases count on.
    pub(crate) fn address() -> &'static str {
        static CLUSTER: OnceLock<TestCluster> = OnceLock::new();
        let settings = [
            ("auto.create.topics.enable", "true"),
            ("log.retention.check.interval.ms", "500"),
        ];
        CLUSTER
            .get_or_init(|| TestCluster::start_with(&settings))
            .bootstrap_servers()
    }

    /// A cluster of a case's own, which it may restart.
    #[derive(Debug)]
    pub(crate) struct Own(TestCluster);

    /// Starts one with these settings, unless the cases run on a cluster that was there before.
    pub(crate) fn own(settings: &[(&str, &str)]) -> Option<Own> {
        let cluster = TestCluster::start_with(settings);
        cluster.is_own().then_some(Own(cluster))
    }

    impl Own {
        pub(crate) fn address(&self) -> &str {
            self.0.bootstrap_servers()
        }

        /// Lets this time pass.
        pub(crate) fn let_pass(&self, time: Duration) {
            self.0.let_pass(time);
        }

        /// Restarts it with its data.
        pub(crate) fn restart(&self) {
            self.0.restart();
        }
    }
}
