//! What fuzz targets need of the inside of this crate.

use crate::hls::window::{News, Window};
use crate::playlist::MediaPlaylist;

/// The media sequence numbers of the new chunks of each load, as a source that follows a live
/// playlist would tell them.
pub fn follow(loads: &[MediaPlaylist]) -> Vec<Vec<u64>> {
    let mut window = Window::default();
    let mut numbers = |load| {
        let news = window.advance(load).into_iter();
        news.filter_map(|(news, _)| match news {
            News::Chunk(segment) => Some(segment.sequence),
            News::Again(_) | News::SlidOut { .. } | News::Notice(_) => None,
        })
        .collect()
    };
    loads.iter().map(&mut numbers).collect()
}
