"""Prints the timecode of frames, as OpenTimelineIO has them: "RATE DROP FRAME" lines in."""
import sys

from opentimelineio import opentime

for line in sys.stdin:
    num, den, drop, frame = line.split()
    rate = int(num) / int(den)
    time = opentime.RationalTime(int(frame), rate)
    print(opentime.to_timecode(time, rate, drop_frame=drop == "1"))
