#!/usr/bin/env python3
"""Makes demo/programme from the source clips: an edited magazine programme with known ground truth.

    demo/make-programme.py SOURCES [OUT]

SOURCES holds the folders `clips` and `audio` with the files that NOTICE.md of the programme names.
Every cut, cheer, silence and title is written down here first and rendered after, so the ground
truth (truth.json) is what was asked for and not what some detector found. Needs ffmpeg with
libx264 and the DejaVu fonts; nothing else.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

RATE = 25
WIDTH, HEIGHT = 640, 360
GOP = 50
CHUNK_FRAMES = 150
START_UTC = datetime(2026, 6, 6, 14, 0, 0, tzinfo=timezone.utc)
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
BOLD = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
NTSC = 30000 / 1001

CITY_FILM = ("clips/googlework_short.mp4", NTSC)
STREET_FILM = ("clips/bikes.mp4", 25)
BUNNY_FILM = ("clips/bigbuckbunny_0_30.webm", 24)
ROOM_FILM = ("clips/intel_one_by_one_person.mp4", 10)
ROAD_FILM = ("clips/intel_car_silent_audio.mp4", 12.5)
BOTTLE_FILM = ("clips/intel_bottle.mp4", 179 / 6)

FIT = f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT}"
FACE = "crop=272:153:352:0,scale=640:360"


@dataclass
class Shot:
    """One shot: where it comes from and for how many frames of the programme it stands."""

    section: str
    film: tuple
    first: int  # first frame in the source
    frames: int  # frames in the programme
    picture: str = FIT
    view: str | None = None
    stroke: float | None = None  # seconds between two strokes of the drawn game


def stills(section, starts, frames):
    return [Shot(section, CITY_FILM, start, frames) for start in starts]


def near(person, frames):
    return Shot("game", ROOM_FILM, int(person * 10), frames, FIT, "near")


def close_up(person, frames):
    return Shot("game", ROOM_FILM, int(person * 10), frames, FACE, "close_up")


def far(frames, stroke):
    return Shot("game", None, 0, frames, "", "far", stroke)


SHOTS = [
    # Opening: fast photographs, then the title over a meadow.
    *stills("opening", [1, 18, 37, 55, 74, 94, 112, 131], 14),
    Shot("opening", BUNNY_FILM, 96, 138),
    # City: a street film and a square, with a narrator.
    Shot("city", STREET_FILM, 0, 30),
    Shot("city", STREET_FILM, 30, 46),
    Shot("city", STREET_FILM, 76, 61),
    Shot("city", STREET_FILM, 137, 50),
    Shot("city", STREET_FILM, 187, 55),
    Shot("city", CITY_FILM, 222, 57),
    Shot("city", CITY_FILM, 432, 77),
    # Interview: one stretch of the source with its own cuts, sound in sync.
    Shot("interview", CITY_FILM, 540, 58),
    Shot("interview", CITY_FILM, 609, 84),
    Shot("interview", CITY_FILM, 710, 49),
    Shot("interview", CITY_FILM, 769, 42),
    Shot("interview", CITY_FILM, 819, 108),
    # A break in digital silence.
    Shot("break", BOTTLE_FILM, 225, 100),
    # First half of the game.
    near(9.0, 75), far(150, 0.90), close_up(10.0, 50),
    near(14.0, 50), far(250, 0.80), close_up(24.0, 75),
    near(36.0, 50), far(100, 1.00), close_up(28.0, 75),
    near(52.0, 40), far(375, 0.75), close_up(57.0, 75),
    near(64.0, 40), far(125, 0.95), close_up(55.0, 50),
    near(60.0, 75), far(300, 0.70), close_up(94.0, 100),
    near(98.0, 50), far(200, 0.85), near(105.0, 75),
    # Silence, then a speech from the archive.
    Shot("pause", BOTTLE_FILM, 540, 75),
    Shot("archive", ROAD_FILM, 52, 95),
    Shot("archive", BUNNY_FILM, 285, 90),
    Shot("archive", ROAD_FILM, 188, 100),
    # Culture.
    Shot("culture", BUNNY_FILM, 384, 100),
    Shot("culture", BUNNY_FILM, 565, 120),
    # Second half of the game.
    near(78.0, 50), far(225, 0.80), close_up(80.0, 75),
    near(82.0, 40), far(150, 0.90), close_up(125.0, 60),
    near(111.0, 40), far(275, 0.70), close_up(128.0, 65),
    # Closing, with a fade to black and silence.
    *stills("closing", [150, 168, 187], 14),
    Shot("closing", CITY_FILM, 949, 63),
    Shot("closing", BUNNY_FILM, 60, 138),
]

# After each rally of the game: (delay from the end of the rally in s, length in s, level in dBFS).
CHEERS = [
    (0.10, 1.6, -22), (0.10, 2.8, -17), None, (0.08, 3.0, -15), (0.15, 1.8, -20),
    (0.05, 3.8, -13), (0.12, 2.4, -18), (0.10, 2.8, -16), None, (0.05, 2.6, -13),
]
SCORES = ["0 : 0", "1 : 0", "1 : 1", "2 : 1", "3 : 1", "3 : 2", "4 : 2", "4 : 3", "5 : 3", "5 : 4", "6 : 4"]
FADE_FRAMES, BLACK_FRAMES = 25, 75


def starts():
    at, result = 0, []
    for shot in SHOTS:
        result.append(at)
        at += shot.frames
    return result, at


STARTS, TOTAL = starts()


def section(name):
    """First frame and end frame of the first run of shots of a section."""
    inside = [i for i, shot in enumerate(SHOTS) if shot.section == name]
    run = [inside[0]]
    while run[-1] + 1 in inside:
        run.append(run[-1] + 1)
    return STARTS[run[0]], STARTS[run[-1]] + SHOTS[run[-1]].frames


def rallies():
    return [
        {"start_frame": start, "end_frame": start + shot.frames, "stroke": shot.stroke}
        for shot, start in zip(SHOTS, STARTS)
        if shot.view == "far"
    ]


def lower_thirds():
    """Titles that this script draws: (first frame, end frame, upper line, lower line)."""
    opening, city, pause = section("opening")[0], section("city")[0], section("break")[0]
    game, archive, culture = section("game")[0], section("archive")[0], section("culture")[0]
    return [
        (opening + 125, opening + 240, "SATURDAY MAGAZINE", "a programme made to be searched"),
        (city + 15, city + 110, "CITY", "Two wheels, four wheels"),
        (pause + 10, pause + 90, "IN A MOMENT", "The game of the day"),
        (game + 10, game + 70, "THE GAME", "North against South, hall court"),
        (archive + 20, archive + 90, "ARCHIVE SOUND", "John F. Kennedy, 20 January 1961"),
        (culture + 10, culture + 85, "CULTURE", "Big Buck Bunny"),
    ]


# Lower thirds that are part of the source film, read by eye: first and end frame in the section.
SOURCE_TITLES = [("interview", 71, 138, "CARLO"), ("interview", 264, 341, "OMAR")]


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def ffmpeg(*arguments):
    run("ffmpeg", "-hide_banner", "-v", "error", "-nostdin", "-y", *arguments)


def text(content, x, y, size, font=FONT, color="white", extra=""):
    escaped = content.replace("\\", "\\\\").replace(":", "\\:").replace("'", "")
    return f"drawtext=fontfile={font}:text='{escaped}':x={x}:y={y}:fontsize={size}:fontcolor={color}{extra}"


def court(sources, out):
    """The drawn court: the wooden floor of the room film, mirrored, with white lines."""
    lines = [
        f"drawbox={x}:{y}:{w}:{h}:white@0.85:3"
        for x, y, w, h in [
            (40, 30, 560, 300), (318, 30, 4, 300), (40, 110, 100, 140), (500, 110, 100, 140)
        ]
    ]
    ffmpeg(
        "-ss", 1, "-i", sources / ROOM_FILM[0], "-frames:v", 1, "-filter_complex",
        "crop=380:150:0:282,split[l][r];[r]hflip[m];[l][m]hstack,scale=760:430,"
        f"crop={WIDTH}:{HEIGHT}," + ",".join(lines),
        out,
    )


def game_picture(stroke):
    """Two players and a ball that changes direction exactly every `stroke` seconds."""
    wave = f"(asin(sin(PI*(t/{stroke}-0.5)))*2/PI)"
    disc = lambda x, y, size, color: text("●", x, y, size, BOLD, color)
    return ",".join([
        disc(f"70+14*sin(t*1.7)-tw/2", "170+70*sin(t*1.1)-th/2", 46, "0xC81E3C"),
        disc(f"570+14*sin(t*1.3)-tw/2", "180+80*sin(t*0.9+2)-th/2", 46, "0x1E46C8"),
        disc(f"320+225*{wave}-tw/2", "175+70*sin(t*0.7+1)-th/2", 22, "0xF5F5DC"),
    ])


def render_shots(sources, work):
    court_picture = work / "court.png"
    court(sources, court_picture)
    files = []
    for number, shot in enumerate(SHOTS):
        out = work / f"shot{number:03}.mkv"
        if shot.film is None:
            source = ["-loop", 1, "-framerate", RATE, "-i", court_picture]
            chain = game_picture(shot.stroke)
        else:
            path, rate = shot.film
            source = ["-i", sources / path]
            last = shot.first + int(-(-shot.frames * rate // RATE)) + 1
            chain = (
                f"trim=start_frame={shot.first}:end_frame={last},setpts=PTS-STARTPTS,"
                f"fps={RATE}:start_time=0:round=up,{shot.picture},setsar=1,"
                "tpad=stop_mode=clone:stop=3"
            )
        ffmpeg(*source, "-an", "-vf", chain + ",format=yuv420p", "-frames:v", shot.frames,
               "-c:v", "ffv1", out)
        files.append(out)
    listing = work / "shots.txt"
    listing.write_text("".join(f"file '{path}'\n" for path in files))
    return listing


def overlay():
    """Titles, score box and the last fade, as one filter chain over the joined shots."""
    chain = []
    for first, end, upper, lower in lower_thirds():
        when = f":enable='between(n,{first},{end - 1})'"
        chain += [
            f"drawbox=0:272:{WIDTH}:56:black@0.6:fill{when}",
            f"drawbox=0:272:10:56:0xE8A020:fill{when}",
            text(upper, 26, 279, 20, BOLD, extra=when),
            text(lower, 26, 304, 16, extra=when),
        ]
    for box in score_boxes():
        when = f":enable='between(n,{box['start_frame']},{box['end_frame'] - 1})'"
        chain += [
            f"drawbox=16:12:208:30:0x102040@0.9:fill{when}",
            text(box["text"], 26, 19, 17, BOLD, extra=when),
        ]
    chain.append(f"fade=out:{TOTAL - BLACK_FRAMES - FADE_FRAMES}:{FADE_FRAMES}")
    return ",".join(chain)


def score_boxes():
    """The score stands through a rally and changes with the first frame after it."""
    boxes, point = [], 0
    for shot, start in zip(SHOTS, STARTS):
        if shot.section != "game":
            continue
        if shot.view == "far":
            boxes.append((start, start + shot.frames, SCORES[point]))
            point += 1
        else:
            boxes.append((start, start + shot.frames, SCORES[point]))
    merged = []
    for start, end, score in boxes:
        if merged and merged[-1]["end_frame"] == start and merged[-1]["score"] == score:
            merged[-1]["end_frame"] = end
        else:
            merged.append({"start_frame": start, "end_frame": end, "score": score})
    for box in merged:
        left, right = box.pop("score").split(" : ")
        box["text"] = f"NORTH {left}   SOUTH {right}"
    return merged


def cheers():
    result = []
    for rally, cheer in zip(rallies(), CHEERS):
        if cheer:
            delay, length, level = cheer
            begin = round(rally["end_frame"] / RATE + delay, 3)
            result.append({"start": begin, "end": round(begin + length, 3), "level_db": level})
    return result


def game_stretches():
    """The two halves of the game, in frames."""
    stretches = []
    for shot, start in zip(SHOTS, STARTS):
        if shot.section != "game":
            continue
        if stretches and stretches[-1][1] == start:
            stretches[-1][1] = start + shot.frames
        else:
            stretches.append([start, start + shot.frames])
    return stretches


def sound_pieces():
    """Recorded sound: (kind, file, from s, programme start s, length s, gain dB)."""
    at = lambda name: section(name)[0] / RATE
    length = lambda name: (section(name)[1] - section(name)[0]) / RATE
    film, voice = CITY_FILM[0], "audio/silero_en_60s.wav"
    return [
        ("music", film, 0.0, at("opening"), length("opening"), -8),
        ("speech", voice, 0.0, at("city"), length("city"), 0),
        ("speech", film, 540 / NTSC, at("interview"), length("interview"), -2),
        ("speech", "audio/jfk_11s.flac", 0.0, at("archive"), 11.0, -5),
        ("speech", voice, 20.36, at("culture"), length("culture"), 0),
        ("music", film, 5.0, at("closing"), length("closing") - BLACK_FRAMES / RATE, -8),
    ]


def render_sound(sources, out):
    inputs, chains, labels = [], [], []

    def add(chain, start):
        label = f"a{len(labels)}"
        common = "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo"
        chains.append(f"{chain},{common},adelay={round(start * 48000)}S:all=1[{label}]")
        labels.append(f"[{label}]")

    for kind, path, begin, start, length, gain in sound_pieces():
        index = len(inputs) // 6
        inputs += ["-ss", f"{begin:.6f}", "-t", f"{length:.6f}", "-i", sources / path]
        fade = 1.0 if kind == "music" else 0.06
        add(f"[{index}:a]volume={gain}dB,afade=in:d=0.02,"
            f"afade=out:st={length - fade:.3f}:d={fade}", start)
    for number, (first, end) in enumerate(game_stretches()):
        length = (end - first) / RATE
        # The murmur of a hall: far below the cheers, above what counts as silence.
        add(f"anoisesrc=r=48000:c=pink:seed={40 + number}:a=0.07:d={length},highpass=f=120,"
            "lowpass=f=3000", first / RATE)
    for rally in rallies():
        stroke, length = rally["stroke"], (rally["end_frame"] - rally["start_frame"]) / RATE
        # A dry knock whenever the ball turns round.
        add(f"aevalsrc='0.9*(random(0)-0.5)*exp(-90*mod(t,{stroke}))':s=48000:d={length}",
            rally["start_frame"] / RATE)
    for number, cheer in enumerate(cheers()):
        length = cheer["end"] - cheer["start"]
        # Pink noise of amplitude 1 has -23.9 dBFS left in the range of voices.
        add(f"anoisesrc=r=48000:c=pink:seed={70 + number}:a=1:d={length:.3f},highpass=f=300,"
            f"lowpass=f=4000,volume={cheer['level_db'] + 23.9}dB,tremolo=f=5:d=0.15,"
            f"afade=in:d=0.08,afade=out:st={length - 0.5:.3f}:d=0.5", cheer["start"])
    graph = ";".join(chains) + f";{''.join(labels)}amix={len(labels)}:normalize=0," \
        f"apad,atrim=end_sample={TOTAL * 48000 // RATE},alimiter=level=0:limit=0.9"
    ffmpeg(*inputs, "-filter_complex", graph, "-c:a", "pcm_s16le", out)


def encode(listing, sound, out):
    for old in list(out.glob("*.ts")) + list(out.glob("*.m3u8")):
        old.unlink()
    ffmpeg(
        "-f", "concat", "-safe", 0, "-r", RATE, "-i", listing, "-i", sound,
        "-map", "0:v", "-map", "1:a", "-vf", overlay(), "-fflags", "+bitexact",
        "-c:v", "libx264", "-preset", "slow", "-profile:v", "high", "-crf", 24,
        "-maxrate", "700k", "-bufsize", "1400k", "-bf", 3, "-threads", 1,
        "-g", GOP, "-keyint_min", GOP, "-sc_threshold", 0, "-flags", "+cgop+bitexact",
        "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709",
        "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "80k", "-flags:a", "+bitexact",
        "-f", "hls", "-hls_time", CHUNK_FRAMES / RATE, "-hls_list_size", 0,
        "-hls_playlist_type", "vod", "-hls_segment_filename", out / "programme_%05d.ts",
        out / "index.m3u8",
    )
    date_playlist(out / "index.m3u8")


def date_playlist(path):
    """FFmpeg would date the chunks by the clock of this machine; the programme has its own day."""
    lines, at = [], START_UTC
    for line in path.read_text().splitlines():
        if line.startswith("#EXTINF:"):
            seconds = float(line[len("#EXTINF:"):].rstrip(","))
            stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{stamp}")
            at += timedelta(seconds=seconds)
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")


def truth():
    silences = [
        {"start": section(name)[0] / RATE, "end": section(name)[1] / RATE} for name in ("break", "pause")
    ]
    silences.append({"start": (TOTAL - BLACK_FRAMES) / RATE, "end": TOTAL / RATE})
    sections, views = [], []
    for shot, start in zip(SHOTS, STARTS):
        end = start + shot.frames
        if sections and sections[-1]["name"] == shot.section:
            sections[-1]["end_frame"] = end
        else:
            sections.append({"name": shot.section, "start_frame": start, "end_frame": end})
        if shot.view:
            if views and views[-1]["view"] == shot.view and views[-1]["end_frame"] == start:
                views[-1]["end_frame"] = end
            else:
                views.append({"view": shot.view, "start_frame": start, "end_frame": end})
    titles = [
        {"start_frame": a, "end_frame": b, "text": f"{upper} / {lower}", "origin": "drawn"}
        for a, b, upper, lower in lower_thirds()
    ] + [
        {"start_frame": section(name)[0] + a, "end_frame": section(name)[0] + b, "text": content,
         "origin": "source"}
        for name, a, b, content in SOURCE_TITLES
    ]
    return {
        "about": "Ground truth by construction. A cut at n: frame n is the first of the new shot. "
                 "Frames count from 0 at 25 frames a second; end_frame is exclusive; times in seconds.",
        "rate": [RATE, 1], "frames": TOTAL, "duration": TOTAL / RATE,
        "start_utc": START_UTC.isoformat().replace("+00:00", "Z"),
        "cuts": STARTS[1:],
        "gradual": [{"start_frame": TOTAL - BLACK_FRAMES - FADE_FRAMES,
                     "end_frame": TOTAL - BLACK_FRAMES, "kind": "fade to black"}],
        "sections": sections,
        "views": views,
        "rallies": [
            {"start_frame": r["start_frame"], "end_frame": r["end_frame"],
             "stroke_seconds": r["stroke"]} for r in rallies()
        ],
        "cheers": cheers(),
        "silences": silences,
        "speech": [{"start": p[3], "end": round(p[3] + p[4], 3), "source": p[1]}
                   for p in sound_pieces() if p[0] == "speech"],
        "music": [{"start": p[3], "end": round(p[3] + p[4], 3), "source": p[1]}
                  for p in sound_pieces() if p[0] == "music"],
        "lower_thirds": sorted(titles, key=lambda title: title["start_frame"]),
        "score_boxes": score_boxes(),
    }


def write_truth(path):
    """One entry a line, so that a change of the edit reads well in a diff."""
    parts = []
    for key, value in truth().items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join("    " + json.dumps(row) for row in value)
            parts.append(f"  {json.dumps(key)}: [\n{rows}\n  ]")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sources = Path(sys.argv[1]).resolve()
    out = Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parent / "programme").resolve()
    used = {shot.film[0] for shot in SHOTS if shot.film} | {piece[1] for piece in sound_pieces()}
    missing = sorted(name for name in used if not (sources / name).is_file())
    if missing or not Path(BOLD).is_file() or not shutil.which("ffmpeg"):
        sys.exit(f"needed: ffmpeg, fonts-dejavu-core, and in {sources}: {', '.join(missing) or 'all there'}")
    if TOTAL % CHUNK_FRAMES:
        sys.exit(f"{TOTAL} frames are not whole chunks of {CHUNK_FRAMES}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        listing = render_shots(sources, work)
        render_sound(sources, work / "sound.wav")
        encode(listing, work / "sound.wav", out)
    write_truth(out / "truth.json")


if __name__ == "__main__":
    main()
