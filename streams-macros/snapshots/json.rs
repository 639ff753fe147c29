impl ::streams::serde::HasSerde for Flight {
    type Serde = ::streams::Json;
}
