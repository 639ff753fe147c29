fn constants() -> ::streams::Topology {
    const __CHECKPOINT_INTERVAL: ::core::time::Duration = settings::INTERVAL;
    const __STREAM_THREADS: usize = THREADS;
    const __SINK_0: &str = OUTPUT;
    const _: () = ::streams::rules::enforce(
        ::streams::rules::checkpoint_interval(__CHECKPOINT_INTERVAL),
    );
    const _: () = ::streams::rules::enforce(
        ::streams::rules::stream_threads(__STREAM_THREADS),
    );
    const _: () = ::streams::rules::enforce(
        ::streams::rules::checkpoint_within_transaction(
            __CHECKPOINT_INTERVAL,
            ::core::time::Duration::from_secs(60),
        ),
    );
    const _: () = ::streams::rules::enforce(::streams::rules::topic(__SINK_0));
    const _: () = ::streams::rules::enforce(
        ::streams::rules::not_source_and_sink("input", __SINK_0),
    );
    #[doc(hidden)]
    #[allow(non_local_definitions, non_snake_case)]
    #[macro_export]
    macro_rules! only_one_topology_may_have_the_application_id_constants__ {
        () => {};
    }
    #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments, unused_parens)]
    fn __constants(text: KStream<Keyless, String>) -> KStream<Keyless, String> {
        text
    }
    let builder = ::streams::TopologyBuilder::new("constants");
    builder.checkpoint_interval(__CHECKPOINT_INTERVAL);
    builder.stream_threads(__STREAM_THREADS);
    let scope = builder.name_scope("constants");
    let text_stream: KStream<Keyless, String> = {
        let scope = builder.name_scope("text");
        builder.source::<Keyless, String>("input", ::streams::ByType, ::streams::ByType)
    };
    let output = __constants(text_stream);
    ::streams::sink(output, __SINK_0, ::streams::ByType, ::streams::ByType);
    ::core::mem::drop(scope);
    builder.build()
}
