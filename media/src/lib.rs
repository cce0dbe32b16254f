//! The only crate that knows GStreamer: probe, decode, scale, cut, mux, thumbnails.
