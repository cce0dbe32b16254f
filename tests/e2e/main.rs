//! End-to-end tests: the program as its users run it, on real files, judged by what it prints and
//! writes. One crate, so that tests share the long runs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../aws/tests/support/mod.rs"]
mod s3_server;
#[path = "../support/mod.rs"]
mod support;

mod aws;
mod bad_chunks;
mod bad_input;
mod bucket;
mod clip;
mod console;
mod dashboards;
mod daterange;
mod demo;
mod disorder;
mod encrypted;
mod examples;
mod interrupt;
mod kafka;
mod kinesis_video;
mod live;
mod marks;
mod mediaconvert;
mod medialive;
mod metrics;
mod news;
mod one_detector;
mod openapi;
mod people;
mod process;
mod process_page;
mod renditions;
mod resume;
mod scenarios;
mod scoreboard;
mod select;
mod service;
mod service_dataplane;
mod service_events;
mod service_mre;
mod service_priorities;
mod service_removal;
mod service_replays;
mod service_security;
mod service_sockets;
mod shots;
mod tennis;
mod tools;
mod traces;
mod variants;
mod workers;
