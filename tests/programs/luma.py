"""Mean luma of small gray pictures, 5 a second: one of the forms of the detector in tests/e2e/one_detector.rs."""

import math

import matchcut


class Luma(matchcut.Operator):
    """Mean luma, and whether it is below 40."""

    view = matchcut.View(64, 36, "gray8", rate=5)
    attributes = {
        "luma": matchcut.Number("mean luma, 0 to 255"),
        "dark": matchcut.Boolean("whether it is below 40"),
    }

    def process_frame(self, frame):
        pixels = frame.pixels
        luma = int(pixels.sum(dtype="int64")) / pixels.size
        yield frame.observation(luma=math.floor(luma * 100 + 0.5) / 100, dark=luma < 40)


matchcut.run(Luma)
