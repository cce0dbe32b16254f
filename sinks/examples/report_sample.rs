//! Writes the results of a made-up match, to look at the report: `report_sample DIR [CHUNKS
//! SEGMENTS]`. Clips and pictures are only named; put some into DIR to see them.

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(dir) = arguments.next() else {
        eprintln!("usage: report_sample DIR [CHUNKS SEGMENTS]");
        std::process::exit(2);
    };
    let mut number = |default| {
        arguments
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let size = common::Size {
        rate: common::rate(25, 1),
        chunks: number(2850),
        segments: number(267) as i64,
        hostile: true,
    };
    let written = common::sample(&size).write(std::path::Path::new(&dir));
    for file in written.files {
        println!("{file}");
    }
    for warning in written.warnings {
        eprintln!("{warning}");
    }
}
