#!/usr/bin/env python3
"""Makes the dashboards of Grafana: what they show stands here, how Grafana wants it said is below.

    infra/grafana/make.py           writes dashboards/*.json
    infra/grafana/make.py --check   says whether they are what it would write
"""

import json
import pathlib
import string
import sys

DIR = pathlib.Path(__file__).resolve().parent / "dashboards"
COLUMNS = 24


class Panel:
    """A panel: its title, the unit of its values, and (query, legend) for each thing that it shows."""

    def __init__(self, title, unit, *queries, width=12, kind="timeseries", bad=None, stack=False, about=""):
        self.title, self.unit, self.queries = title, unit, queries
        self.width, self.kind = width, kind
        # The value from which it is red.
        self.bad = bad
        self.stack, self.about = stack, about


def number(title, unit, query, bad=None, about=""):
    """One number of now."""
    return Panel(title, unit, (query, ""), width=4, kind="stat", bad=bad, about=about)


def quantiles(metric, labels, by, legend):
    """The median and the 99th percentile of a histogram."""
    wanted = f"sum by (le, {by}) (rate({metric}_bucket{{{labels}}}[$__rate_interval]))"
    return [
        (f"histogram_quantile({q}, {wanted})", f"{legend} {name}".strip())
        for q, name in ((0.5, "p50"), (0.99, "p99"))
    ]


def minutely(metric, labels, by):
    """How many a minute."""
    return f"60 * sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


EVENT = 'event="$event"'
OPERATOR = 'event="$event", operator=~"$operator"'
# Seconds by which the timeline grew; nothing where it stood still.
MEDIA = f"(sum(delta(matchcut_event_seconds{{{EVENT}}}[$__rate_interval])) > 0)"

FLEET = {
    "Now": [
        number("Events that are read", "none", "sum(matchcut_source_open) or vector(0)"),
        number(
            "Processes away", "none", 'count(up{job="matchcut"} == 0) or vector(0)', bad=1,
            about="Addresses in targets/*.yml that show no metrics.",
        ),
        number(
            "Sinks away", "none", "count(matchcut_sink_up == 0) or vector(0)", bad=1,
            about="Their results wait in the outbox and go out when they are back.",
        ),
        number(
            "Chunks missing", "none", 'sum(matchcut_chunks_total{outcome="missing"}) or vector(0)', bad=1,
            about="In all events that run now.",
        ),
        number("Failures", "none", "sum(matchcut_failures_total) or vector(0)", bad=1,
               about="In all events that run now, of the input as well."),
        number(
            "Alerts", "none",
            'count(ALERTS{alertname=~"Matchcut.*", alertstate="firing"}) or vector(0)', bad=1,
        ),
    ],
    "Events": [
        Panel(
            "Every event", "none",
            ("sum by (event) (matchcut_event_seconds)", "timeline|s"),
            ("histogram_quantile(0.99, sum by (le, event) ("
             'rate(matchcut_stage_seconds_bucket{stage="committed"}[$__rate_interval])))', "behind (p99)|s"),
            ("sum by (event) (matchcut_chunks_total)", "chunks"),
            ("sum by (event) (matchcut_segments)", "segments"),
            ("sum by (event) (matchcut_failures_total)", "failures"),
            ("sum by (event) (matchcut_outbox_rows)", "in outboxes"),
            width=24, kind="table",
        ),
        Panel(
            "How far results are behind their chunks", "s",
            ("histogram_quantile(0.99, sum by (le, event) ("
             'rate(matchcut_stage_seconds_bucket{stage="committed"}[$__rate_interval])))', "{{event}} p99"),
            about="From a chunk seen in its source to its epoch committed.",
        ),
        Panel(
            "Media seconds a second", "none",
            ("sum by (event) (deriv(matchcut_event_seconds[$__rate_interval]))", "{{event}}"),
            about="1 is a live event that keeps up; 0 one to which nothing comes.",
        ),
        Panel("Chunks a minute", "short", (minutely("matchcut_chunks_total", "", "event, outcome"),
                                           "{{event}} {{outcome}}")),
        Panel("Failures a minute", "short", (minutely("matchcut_failures_total", "", "event, operator"),
                                             "{{event}} {{operator}}"),
              about="Of the input where no operator is named."),
    ],
    "Sinks": [
        Panel("Waiting in outboxes", "short", ("sum by (event, sink) (matchcut_outbox_rows)", "{{event}} {{sink}}")),
        Panel("Tries that failed, a minute", "short", (minutely("matchcut_sink_errors_total", "", "event, sink"),
                                                       "{{event}} {{sink}}")),
    ],
    "Processes": [
        Panel("Memory", "bytes", ('process_resident_memory_bytes{job="matchcut"}', "{{instance}}")),
        Panel("Processors in use", "none", ('rate(process_cpu_seconds_total{job="matchcut"}[$__rate_interval])',
                                            "{{instance}}"),
              about="Counted in whole seconds: jagged over short ranges."),
        Panel("Open files", "short", ('process_open_fds{job="matchcut"}', "{{instance}}"),
              ('process_max_fds{job="matchcut"}', "{{instance}} at most"), width=8),
        Panel("Threads", "short", ('process_threads{job="matchcut"}', "{{instance}}"), width=8),
        Panel("Builds", "short", ("count by (version) (matchcut_build_info)", "{{version}}"), width=8),
    ],
    "Service": [
        Panel("Requests", "reqps", ("sum by (status) (rate(matchcut_http_requests_total[$__rate_interval]))",
                                    "{{status}}"), width=8, stack=True),
        Panel("Requests that failed", "reqps",
              ('sum by (route, method, status) (rate(matchcut_http_requests_total{status=~"5.."}[$__rate_interval]))',
               "{{method}} {{route}} {{status}}"), width=8),
        Panel("How long requests take", "s",
              *quantiles("matchcut_http_request_duration_seconds", 'route!="/metrics"', "method", "{{method}}"),
              width=8),
    ],
}

ONE_EVENT = {
    "Now": [
        number("Timeline", "dtdurations", f"sum(matchcut_event_seconds{{{EVENT}}})"),
        number("Epoch", "none", f"max(matchcut_epoch{{{EVENT}}})"),
        number("Chunks", "none", f'sum(matchcut_chunks_total{{{EVENT}, outcome="placed"}})'),
        number("Missing", "none", f'sum(matchcut_chunks_total{{{EVENT}, outcome="missing"}}) or vector(0)', bad=1),
        number("Clips failed", "none", f'sum(matchcut_clips_total{{{EVENT}, outcome="failed"}}) or vector(0)', bad=1),
        number("Failures", "none", f"sum(matchcut_failures_total{{{EVENT}}}) or vector(0)", bad=1),
    ],
    "Media": [
        Panel("Chunks a minute", "short", (minutely("matchcut_chunks_total", EVENT, "source, outcome"),
                                           "{{source}} {{outcome}}"), width=8),
        Panel("Media that came", "binBps", (f"sum by (source) (rate(matchcut_chunk_bytes_total{{{EVENT}}}"
                                            "[$__rate_interval]))", "{{source}}"), width=8),
        Panel("Frames a second", "none", (f"sum(rate(matchcut_frames_total{{{EVENT}}}[$__rate_interval]))",
                                          "frames"), width=8),
    ],
    "How long it takes": [
        Panel("After a chunk was seen", "s", *quantiles("matchcut_stage_seconds", EVENT, "stage", "{{stage}}"),
              about="committed: its epoch; clips: those of its segments are cut; carried: its messages have arrived."),
        Panel(
            "Work for a second of media", "s",
            (f"sum(increase(matchcut_decode_seconds_sum{{{EVENT}}}[$__rate_interval])) / {MEDIA}", "decode"),
            (f"sum by (operator, part) (increase(matchcut_operator_seconds_sum{{{EVENT}}}[$__rate_interval]))"
             f" / on () group_left () {MEDIA}", "{{operator}} {{part}}"),
            stack=True,
            about="Seconds of a thread. More than the decode threads of the machine is too much for a live event.",
        ),
    ],
    "Results": [
        Panel("Segments that stand", "short", (f"sum by (segmenter) (matchcut_segments{{{EVENT}}})",
                                               "{{segmenter}}"), width=8),
        Panel("Segments that replays play", "short", (f"sum by (replay) (matchcut_replay_segments{{{EVENT}}})",
                                                      "{{replay}}"), width=8),
        Panel("Clips a minute", "short", (minutely("matchcut_clips_total", EVENT, "outcome"), "{{outcome}}"), width=8),
        Panel("Observations a minute", "short", (minutely("matchcut_observations_total", EVENT, "operator"),
                                                 "{{operator}}"), width=8),
        Panel("Changes a minute", "short", (minutely("matchcut_changes_total", EVENT, "kind, diff"),
                                            "{{kind}} {{diff}}"), width=8,
              about="1 is an addition, -1 a retraction."),
        Panel("Failures a minute", "short", (minutely("matchcut_failures_total", EVENT, "operator"),
                                             "{{operator}}"), width=8,
              about="Of the input where no operator is named."),
    ],
    "Sinks": [
        Panel("Reached", "bool_yes_no", (f"min by (sink) (matchcut_sink_up{{{EVENT}}})", "{{sink}}"),
              width=8, kind="state-timeline"),
        Panel("Waiting in the outbox", "short", (f"sum by (sink) (matchcut_outbox_rows{{{EVENT}}})", "{{sink}}"),
              width=8),
        Panel("Carried a minute", "short", (minutely("matchcut_sink_rows_total", EVENT, "sink"), "{{sink}}"), width=8),
        Panel("One try", "s", *quantiles("matchcut_sink_batch_seconds", EVENT, "sink", "{{sink}}")),
        Panel("Tries that failed, a minute", "short", (minutely("matchcut_sink_errors_total", EVENT, "sink"),
                                                       "{{sink}}")),
    ],
}


def mean(labels):
    """The mean time of operators for each chunk or step."""
    total, count = (
        f"sum by (operator) (rate(matchcut_operator_seconds_{part}{{{labels}}}[$__rate_interval]))"
        for part in ("sum", "count")
    )
    return f"{total} / ({count} > 0)"


PIPELINE = {
    "Operators": [
        Panel("Scan of a chunk, mean", "s", (mean(OPERATOR + ', part="scan"'), "{{operator}}"),
              about="Looking at pictures or sound, side by side for several chunks."),
        Panel("Scan of a chunk, p50 and p99", "s",
              *quantiles("matchcut_operator_seconds", OPERATOR + ', part="scan"', "operator", "{{operator}}")),
        Panel("Ordered step, mean", "s", (mean(OPERATOR + ', part="step"'), "{{operator}}"),
              about="What cannot be done side by side."),
        Panel("Threads that operators keep busy", "none",
              (f"sum by (operator, part) (rate(matchcut_operator_seconds_sum{{{OPERATOR}}}[$__rate_interval]))",
               "{{operator}} {{part}}"), stack=True),
        Panel("Observations a minute", "short", (minutely("matchcut_observations_total", OPERATOR, "operator"),
                                                 "{{operator}}")),
        Panel("Failures a minute", "short", (minutely("matchcut_failures_total", OPERATOR, "operator"),
                                             "{{operator}}")),
    ],
    "Decoding": [
        Panel("Decoding of a chunk", "s", *quantiles("matchcut_decode_seconds", EVENT, "event", "")),
        Panel("Frames a second", "none", (f"sum(rate(matchcut_frames_total{{{EVENT}}}[$__rate_interval]))", "frames")),
    ],
    "Under way": [
        Panel("Epochs in flight", "short", (f"sum(matchcut_epochs_in_flight{{{EVENT}}})", "epochs"), width=8),
        Panel("Media in flight", "bytes", (f"sum(matchcut_bytes_in_flight{{{EVENT}}})", "bytes"), width=8),
        Panel("Epochs committed, a minute", "short",
              (f"60 * sum(deriv(matchcut_epoch{{{EVENT}}}[$__rate_interval]))", "epochs"), width=8),
    ],
}


# From here on: how Grafana wants it said.

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHT = {"stat": 4, "timeseries": 8, "state-timeline": 8, "table": 8}


def target(panel, index, query, legend):
    told = {"datasource": SOURCE, "editorMode": "code", "expr": query, "refId": string.ascii_uppercase[index]}
    if panel.kind == "table":
        return told | {"format": "table", "instant": True, "range": False}
    if panel.kind == "stat":
        return told | {"instant": True, "range": False}
    return told | {"legendFormat": legend, "instant": False, "range": True}


def thresholds(bad):
    steps = [{"color": "green", "value": None}]
    if bad is not None:
        steps.append({"color": "red", "value": bad})
    return {"mode": "absolute", "steps": steps}


def looks(panel):
    """Options, defaults of fields, and what else a kind of panel needs."""
    if panel.kind == "stat":
        options = {
            "colorMode": "value" if panel.bad is None else "background",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
        return options, {"thresholds": thresholds(panel.bad)}, {}
    if panel.kind == "state-timeline":
        states = {"0": {"text": "away", "color": "red"}, "1": {"text": "reached", "color": "green"}}
        options = {"mergeValues": True, "showValue": "auto", "legend": {"showLegend": False}}
        return options, {"mappings": [{"type": "value", "options": states}]}, {}
    if panel.kind == "table":
        names = {f"Value #{string.ascii_uppercase[i]}": legend.partition("|")[0]
                 for i, (_, legend) in enumerate(panel.queries)}
        units = [
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
            for name, _, unit in (legend.partition("|") for _, legend in panel.queries) if unit
        ]
        link = {"title": "The event", "url": "/d/matchcut-event?var-event=${__value.text}&${__url_time_range}"}
        units.append({"matcher": {"id": "byName", "options": "event"}, "properties": [{"id": "links", "value": [link]}]})
        transformations = [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
        ]
        return {"showHeader": True}, {}, {"transformations": transformations, "overrides": units}
    custom = {"drawStyle": "line", "fillOpacity": 30 if panel.stack else 5, "lineWidth": 1, "showPoints": "never",
              "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"}}
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return options, {"custom": custom, "min": 0}, {}


def panels(rows):
    """The panels of rows one below the other, each where the last one ended."""
    top, made = 0, []
    for title, row in rows.items():
        made.append({"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                     "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1}})
        top, left, height = top + 1, 0, 0
        for panel in row:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            options, defaults, more = looks(panel)
            overrides = more.pop("overrides", [])
            made.append({
                "id": len(made) + 1,
                "type": panel.kind,
                "title": panel.title,
                "description": panel.about,
                "datasource": SOURCE,
                "gridPos": {"x": left, "y": top, "w": panel.width, "h": HEIGHT[panel.kind]},
                "targets": [target(panel, i, *query) for i, query in enumerate(panel.queries)],
                "options": options,
                "fieldConfig": {"defaults": {"unit": panel.unit, **defaults}, "overrides": overrides},
                **more,
            })
            left, height = left + panel.width, max(height, HEIGHT[panel.kind])
        top += height
    return made


def variable(name, query, all_of_them=False):
    """A variable that offers the values of a label."""
    more = {"multi": True, "includeAll": True, "allValue": ".*"} if all_of_them else {"multi": False, "includeAll": False}
    return {
        "name": name, "label": name, "type": "query", "datasource": SOURCE, "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2, "sort": 1, **more,
    }


def dashboard(name, title, about, variables, rows):
    source = {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": f"matchcut-{name}",
        "title": title,
        "description": about,
        "tags": ["matchcut"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "matchcut", "tags": ["matchcut"], "asDropdown": False,
                   "includeVars": True, "keepTime": True}],
        "annotations": {"list": []},
        "templating": {"list": [source, *variables]},
        "panels": panels(rows),
    }


ITS_EVENT = variable("event", "label_values(matchcut_epoch, event)")
ITS_OPERATOR = variable("operator", f"label_values(matchcut_operator_seconds_count{{{EVENT}}}, operator)", True)
DASHBOARDS = {
    "fleet": dashboard("fleet", "matchcut: all events", "What runs, how far behind it is, and what fails.", [], FLEET),
    "event": dashboard("event", "matchcut: one event", "What comes of one event, and when.", [ITS_EVENT], ONE_EVENT),
    "pipeline": dashboard("pipeline", "matchcut: pipeline", "What the operators of one event cost and find.",
                          [ITS_EVENT, ITS_OPERATOR], PIPELINE),
}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    wrong = {path.name for path in DIR.glob("*.json")} - {f"{name}.json" for name in DASHBOARDS}
    for name, content in DASHBOARDS.items():
        path = DIR / f"{name}.json"
        text = json.dumps(content, indent=2) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.add(path.name)
    if wrong:
        sys.exit(f"not what infra/grafana/make.py makes: {', '.join(sorted(wrong))}; run it")


if __name__ == "__main__":
    main()
