// Plays a catch-up replay while it changes: follows `current.json` with hls.js (1.5 or later).
//
//   import { followReplay } from "./catchup-player.js";
//   const player = followReplay(video, Hls, "replays/best/current.json");
//
// Options:
//   interval  seconds between two looks at the pointer (2)
//   at        "boundary": a new version is taken up where the clip ends that is being watched, and
//             only once it goes on differently; "now": at once, at the same picture
//   marks     true: what a clip plays before its mark-in and after its mark-out is skipped
//   onVersion called with the pointer of each version that is taken up
//   config    more options for hls.js
//
// Returns { hls, version(), clip(), destroy() }.
export function followReplay(video, Hls, pointer, options = {}) {
  const { interval = 2, at = "boundary", marks = false, onVersion = () => {}, config = {} } = options;
  const hls = new Hls({ ...config, autoStartLoad: false });
  let playing = null; // the pointer of the version in the player
  let newer = null; // that of a version which waits
  let starts = []; // where each piece begins by the playlist, and where the last one ends
  let wanted = true; // whether the viewer wants it to play
  let closed = false;
  let etag = null;
  let timer = 0;

  // hls.js moves pieces to where their pictures say they are, and lets the first one stand longer to
  // fill a gap, so the last one tells where a piece is. Marks are times of the playlist.
  const pieces = () => hls.levels?.[hls.currentLevel < 0 ? 0 : hls.currentLevel]?.details?.fragments || [];
  const shown = (piece, index) => {
    const { video: own, audiovideo } = piece.elementaryStreams || {};
    const end = (own || audiovideo)?.endPTS;
    return end === undefined ? piece.start : end - (starts[index + 1] - starts[index]);
  };
  const toMedia = (time) => {
    const index = starts.findLastIndex((start, at) => at + 1 < starts.length && start <= time + 0.001);
    const piece = pieces()[index];
    return piece ? shown(piece, index) + time - starts[index] : time;
  };
  const toPlaylist = (time) => {
    const list = pieces();
    const index = list.findLastIndex((piece, at) => shown(piece, at) <= time + 0.001);
    return index >= 0 && index < starts.length ? starts[index] + time - shown(list[index], index) : time;
  };

  const from = (clip) => (marks ? clip.mark_in : clip.start);
  const until = (clip) => (marks ? clip.mark_out : clip.start + clip.duration);
  // The clip that is shown at a time of the playlist, by its place.
  const placeAt = (clips, time) => clips.findLastIndex((clip) => clip.start <= time + 0.001);
  // Where a version goes on after a clip: behind it, or behind where it would be in the event.
  const after = (clips, clip) => {
    const same = clips.findIndex((other) => other.id === clip.id);
    return same >= 0 ? clips[same + 1] : clips.find((other) => other.event_start >= clip.event_start);
  };

  function load(version, position) {
    playing = version;
    newer = null;
    starts = [];
    hls.loadSource(new URL(version.playlist, new URL(pointer, location.href)).href);
    hls.once(Hls.Events.MANIFEST_PARSED, () => {
      hls.startLoad(position);
      // A new source leaves the element paused.
      if (wanted) video.play().catch(() => {});
    });
    onVersion(version);
  }

  // Takes up the newer version at the same picture; a clip that is gone ends here.
  function takeUp() {
    const time = toPlaylist(video.currentTime);
    const clip = playing.clips[Math.max(0, placeAt(playing.clips, time))];
    const same = clip && newer.clips.find((other) => other.id === clip.id);
    if (same) return load(newer, same.mark_in + (time - clip.mark_in));
    goOn(clip);
  }

  // Goes on in the newer version after a clip, if there is anything after it.
  function goOn(clip) {
    const next = clip ? after(newer.clips, clip) : newer.clips[0];
    if (next) load(newer, from(next));
  }

  // Once a frame: is the clip at its end? The clock of the element runs ahead of the picture.
  let frame = 0.04;
  let last = 0;
  function look(_, picture) {
    if (closed) return;
    if (picture) {
      const step = picture.mediaTime - last;
      if (step > 0.005 && step < 0.1) frame = Math.min(step, frame * 1.2);
      last = picture.mediaTime;
    }
    if (playing?.clips.length && !video.seeking) {
      const time = toPlaylist((picture ? picture.mediaTime : video.currentTime) + 0.001);
      const place = placeAt(playing.clips, time);
      const clip = playing.clips[place];
      const next = playing.clips[place + 1];
      if (marks && clip && time < from(clip) - 0.02) {
        video.currentTime = toMedia(from(clip)) + 0.001;
        return schedule();
      }
      // With the last frame, so that none of what would follow is seen.
      if (clip && (video.ended || time >= until(clip) - 1.3 * frame)) {
        const goesOn = newer && after(newer.clips, clip);
        if (newer && goesOn?.id !== next?.id) {
          goOn(clip);
        } else if (marks && next && time < from(next)) {
          video.currentTime = toMedia(from(next)) + 0.001;
        } else if (marks && !next && !video.ended) {
          video.pause();
        }
      }
    }
    schedule();
  }
  function schedule() {
    if (video.requestVideoFrameCallback && !video.paused) video.requestVideoFrameCallback(look);
    else setTimeout(look, 100);
  }

  async function poll() {
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const response = await fetch(pointer, { cache: "no-store", headers });
      if (response.ok) {
        etag = response.headers.get("ETag");
        const found = await response.json();
        if (closed) return;
        const known = newer || playing;
        if (found.playlist && (!known || found.version > known.version)) {
          newer = found;
          if (!playing) load(newer, from(newer.clips[0]));
          else if (at === "now") takeUp();
        }
        if (found.final && found.version === (newer || playing)?.version) return;
      }
    } catch (error) {
      console.warn("the replay cannot be followed for now:", error);
    }
    if (!closed) timer = setTimeout(poll, interval * 1000);
  }

  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    starts = details.fragments.map((piece) => piece.start);
    starts.push(details.totalduration);
  });
  hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
    if (fatal && type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  const onPlay = () => { wanted = true; };
  // Loading another version pauses the element as well, without a wish of the viewer's.
  const onPause = () => { if (video.readyState > 2 && !video.ended) wanted = false; };
  video.addEventListener("play", onPlay);
  video.addEventListener("pause", onPause);
  hls.attachMedia(video);
  poll();
  schedule();

  return {
    hls,
    version: () => playing?.version,
    clip: () => playing?.clips[placeAt(playing.clips, toPlaylist(video.currentTime))],
    destroy() {
      closed = true;
      clearTimeout(timer);
      video.removeEventListener("play", onPlay);
      video.removeEventListener("pause", onPause);
      hls.destroy();
    },
  };
}
