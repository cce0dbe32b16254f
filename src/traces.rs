//! Traces by OTLP: spans of what this program does, sent to a collector whose address the environment has. Without an
//! address nothing is started, and spans are not even made.

use std::env;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use matchcut_console::agent;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Where an address may stand, for all that is told and for traces alone.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Where it may stand how it is told.
const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];

/// The only way in which it is told.
const PROTOCOL: &str = "http/protobuf";

/// How long a collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited for the last batch at the end.
const LAST: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// As the variables of OpenTelemetry say; else what is wrong with them.
    pub fn from_env() -> Result<Traces, String> {
        let value = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        if !is_wanted(&value)? {
            return Ok(Traces(None));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Client::default())
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        // What OTEL_RESOURCE_ATTRIBUTES says is taken in by itself.
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let resource = match value("OTEL_SERVICE_NAME") {
            Some(name) => resource.with_service_name(name),
            None => resource.with_service_name("matchcut"),
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build());
        Ok(Traces(Some(provider.build())))
    }

    /// What makes spans of this program's own out of what `tracing` is told.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.as_ref()?.tracer("matchcut");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(filter_fn(is_ours)))
    }

    /// Sends what has not been sent yet.
    pub fn end(self) {
        if let Some(provider) = self.0 {
            // The client has said what did not work.
            let _ = provider.shutdown_with_timeout(LAST);
        }
    }
}

fn is_ours(about: &Metadata<'_>) -> bool {
    *about.level() <= Level::INFO && about.target().starts_with("matchcut")
}

/// Whether there is where to, and nothing against it.
fn is_wanted(value: &dyn Fn(&str) -> Option<String>) -> Result<bool, String> {
    let is = |name: &str, wanted: &str| {
        value(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    if off || ENDPOINTS.iter().all(|name| value(name).is_none()) {
        return Ok(false);
    }
    let protocol = PROTOCOLS.iter().find_map(|name| Some((name, value(name)?)));
    match protocol {
        Some((name, other)) if other != PROTOCOL => Err(format!(
            "{name} is {other}, and traces are sent as {PROTOCOL} alone: set it to that, and the endpoint to the \
             port of the collector that takes it (4318 as a rule)"
        )),
        _ => Ok(true),
    }
}

/// Posts batches; says so when a collector takes none, and when it does again.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    fails: AtomicBool,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            agent: agent(),
            fails: AtomicBool::new(false),
        }
    }
}

impl Client {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let place = parts.uri.to_string();
        let request = Request::from_parts(parts, body.to_vec());
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(PATIENCE))
            .build();
        let sent = self.agent.run(request).and_then(|response| {
            let (parts, mut body) = response.into_parts();
            let body = body.read_to_vec()?;
            Ok(Response::from_parts(parts, Bytes::from(body)))
        });
        let wrong = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let failed = self.fails.swap(wrong.is_some(), Ordering::SeqCst);
        match wrong {
            Some(error) if !failed => tracing::error!("traces are lost: {place}: {error}"),
            None if failed => tracing::error!("traces are taken again by {place}"),
            _ => {}
        }
        Ok(sent?)
    }
}

impl HttpClient for Client {
    /// The thread that carries batches waits for nothing else.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(ready(self.send(request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_address_nothing_is_wanted() {
        let wanted = |set: &[(&str, &str)]| {
            let value = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            is_wanted(&value)
        };
        let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert_eq!(wanted(&[]), Ok(false));
        assert_eq!(wanted(&[at]), Ok(true));
        assert_eq!(wanted(&[(ENDPOINTS[0], at.1)]), Ok(true));
        assert_eq!(wanted(&[at, ("OTEL_SDK_DISABLED", "TRUE")]), Ok(false));
        assert_eq!(wanted(&[at, ("OTEL_TRACES_EXPORTER", "none")]), Ok(false));
        assert_eq!(wanted(&[at, (PROTOCOLS[1], PROTOCOL)]), Ok(true));
        let refused = wanted(&[at, (PROTOCOLS[1], "grpc")]).unwrap_err();
        assert!(
            refused.starts_with(
                "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and traces are sent as http/protobuf alone"
            ),
            "{refused}"
        );
        assert_eq!(wanted(&[(PROTOCOLS[1], "grpc")]), Ok(false));
    }
}
