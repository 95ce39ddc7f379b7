//! `/metrics`: the text format of Prometheus, version 0.0.4, with the names of SRS's exporter.

use crate::reply::{code, failure};
use crate::routes::State;
use crate::v1::about::date;
use crate::{Exporter, SRS_VERSION};
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use headwater_stats::{System, built_at};
use http::header::CONTENT_TYPE;
use std::fmt::Write as _;
use std::sync::Arc;

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "machine", responses(
    (status = 200, description = "Prometheus text; or, with `exporter` off, the JSON `{\"code\":1090}`",
        body = String, content_type = "text/plain")))]
pub(crate) async fn show(Shared(state): Shared<Arc<State>>) -> Response {
    match &state.settings.exporter {
        Some(exporter) => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text(&state, exporter)).into_response()
        }
        None => failure(code::EXPORTER_DISABLED),
    }
}

fn text(state: &State, exporter: &Exporter) -> String {
    let totals = state.stats.totals();
    let machine = state.stats.machine();
    let mut out = Text::default();
    out.info("srs_node_uname_info", "The operating system.", &uname());
    out.info("srs_build_info", "The server and its build.", &build(state, exporter));
    out.gauge(
        "srs_cpu_percent",
        "Processor use of the server; 100 is one core.",
        machine.process.cpu * 100.0,
    );
    out.gauge("srs_memory", "Resident memory of the server in KiB.", machine.resident_kib as f64);
    out.counter("srs_send_bytes_total", "Bytes sent to clients.", totals.traffic.sent);
    out.counter("srs_receive_bytes_total", "Bytes received from clients.", totals.traffic.received);
    out.gauge("srs_streams", "Streams now.", totals.streams as f64);
    out.gauge("srs_clients", "Clients now.", totals.clients as f64);
    out.counter("srs_clients_total", "Clients since start.", totals.clients_total);
    out.counter("srs_clients_errs_total", "Clients that ended by an error.", totals.client_errors);
    out.0
}

fn uname() -> Vec<(&'static str, String)> {
    let System { name, node, release, version, machine } = System::read();
    vec![
        ("sysname", name),
        ("nodename", node),
        ("release", release),
        ("version", version),
        ("machine", machine),
    ]
}

fn build(state: &State, exporter: &Exporter) -> Vec<(&'static str, String)> {
    let identity = state.stats.identity();
    let mut labels = vec![
        ("server", identity.server.clone()),
        ("service", identity.service.clone()),
        ("pid", identity.pid.clone()),
        ("build_date", date(built_at())),
        ("major", SRS_VERSION.split('.').next().unwrap_or_default().to_owned()),
        ("version", SRS_VERSION.to_owned()),
        ("code", "Hang".to_owned()), // the code name of SRS 7
    ];
    let given = [("label", &exporter.label), ("tag", &exporter.tag)];
    labels.extend(given.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k, v.clone())));
    labels
}

/// The text as it grows.
#[derive(Default)]
struct Text(String);

impl Text {
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, String)]) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        self.head(name, help, "gauge");
        self.line(&format!("{name}{{{}}} 1", labels.join(",")));
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.line(&format!("{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(&format!("{name} {value}"));
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(&format!("# HELP {name} {help}"));
        self.line(&format!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A label value: backslash, quote and newline are escaped.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_cannot_break_out() {
        let mut out = Text::default();
        out.info("m", "h", &[("a", "x\"} 1\nevil 2\\".to_owned())]);
        assert_eq!(out.0, "# HELP m h\n# TYPE m gauge\nm{a=\"x\\\"} 1\\nevil 2\\\\\"} 1\n");
    }
}
