/// Copies `input` to `output`, exactly once.
fn kafka_exactly_once() -> ::streams::Topology {
    #[doc(hidden)]
    #[allow(non_local_definitions, non_snake_case)]
    #[macro_export]
    macro_rules! only_one_topology_may_have_the_application_id_kafka_exactly_once__hh {
        () => {};
    }
    #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments, unused_parens)]
    fn __kafka_exactly_once(text: KStream<Keyless, String>) -> KStream<Keyless, String> {
        text
    }
    let builder = ::streams::TopologyBuilder::new("kafka-exactly-once");
    builder.guarantee(::streams::Guarantee::ExactlyOnce);
    builder.checkpoint_interval(::core::time::Duration::from_secs(10));
    builder.transactional_id_prefix("KafkaExactlyOnceRecipe");
    builder.transaction_timeout(::core::time::Duration::from_secs(60));
    let scope = builder.name_scope("kafka_exactly_once");
    let text_stream: KStream<Keyless, String> = {
        let scope = builder.name_scope("text");
        builder.source::<Keyless, String>("input", ::streams::ByType, ::streams::ByType)
    };
    let output = __kafka_exactly_once(text_stream);
    ::streams::sink(output, "output", ::streams::ByType, ::streams::ByType);
    ::core::mem::drop(scope);
    builder.build()
}
