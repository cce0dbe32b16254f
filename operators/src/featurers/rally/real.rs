//! A rally as a camera saw it: places read off five seconds of a broadcast from behind the court, each ball by
//! what moves there, players by eye.

use serde_json::json;

use super::tests::{at, kinds};
use crate::testing::{Script, fold_of, observations};

/// Milliseconds, and the ball's place in thousandths of the picture's width and height.
#[rustfmt::skip]
const BALL: [(i64, i64, i64); 98] = [
    (33, 424, 263), (133, 419, 269), (167, 417, 274), (200, 415, 281), (233, 411, 290), (333, 406, 317),
    (367, 405, 334), (400, 403, 353), (433, 401, 374), (533, 396, 424), (567, 394, 454), (600, 392, 486),
    (633, 390, 520), (733, 384, 600), (767, 381, 645), (800, 379, 692), (833, 377, 717), (933, 374, 703),
    (967, 371, 700), (1000, 370, 698), (1033, 368, 700), (1133, 364, 710), (1167, 362, 719), (1200, 371, 684),
    (1233, 389, 619), (1333, 416, 519), (1367, 428, 477), (1400, 439, 443), (1433, 449, 410), (1533, 468, 364),
    (1567, 476, 346), (1600, 482, 331), (1633, 490, 319), (1733, 503, 303), (1767, 508, 298), (1800, 514, 296),
    (1833, 519, 295), (1933, 527, 299), (1967, 531, 304), (2000, 535, 308), (2033, 540, 317), (2133, 545, 334),
    (2167, 548, 340), (2333, 557, 260), (2367, 559, 244), (2400, 560, 230), (2433, 562, 222), (2533, 562, 234),
    (2567, 562, 244), (2600, 562, 255), (2633, 562, 267), (2733, 562, 296), (2767, 563, 314), (2800, 565, 334),
    (2833, 565, 356), (2933, 567, 407), (2967, 567, 435), (3000, 569, 467), (3033, 570, 498), (3133, 573, 572),
    (3167, 573, 613), (3200, 575, 658), (3233, 575, 664), (3333, 576, 658), (3367, 576, 658), (3400, 576, 661),
    (3433, 576, 667), (3533, 578, 683), (3567, 578, 695), (3600, 578, 710), (3633, 580, 727), (3733, 579, 646),
    (3767, 580, 585), (3800, 581, 537), (3833, 580, 494), (3933, 581, 426), (3967, 581, 400), (4000, 581, 378),
    (4033, 581, 359), (4133, 581, 331), (4167, 581, 322), (4200, 581, 315), (4233, 582, 308), (4333, 583, 306),
    (4367, 583, 306), (4400, 583, 307), (4433, 583, 311), (4533, 584, 322), (4567, 585, 332), (4600, 584, 328),
    (4733, 584, 263), (4767, 584, 248), (4800, 584, 233), (4833, 585, 219), (4933, 570, 215), (4967, 561, 219),
    (5000, 550, 226), (5033, 540, 233),
];

/// Thousandths across of the player near to the camera and of the far one, five times a second.
#[rustfmt::skip]
const PLAYERS: [(i64, i64); 26] = [
    (600, 473), (566, 473), (532, 485), (495, 491), (466, 495), (440, 498), (406, 500), (380, 505), (365, 516),
    (379, 520), (400, 525), (420, 523), (437, 530), (455, 527), (478, 525), (498, 523), (505, 509), (498, 491),
    (503, 492), (502, 480), (505, 498), (502, 512), (489, 525), (484, 541), (477, 549), (469, 556),
];

fn share(thousandths: i64) -> f64 {
    thousandths as f64 / 1000.0
}

/// Balls and players from two models.
fn script() -> Script {
    let mut script = Script::new(5133, 1);
    for (time, x, y) in BALL {
        let ball = json!([at("ball", [share(x) - 0.005, share(y) - 0.005, 0.01, 0.01])]);
        script.point("ball", time, &[("boxes", ball)]);
    }
    for (number, (near, far)) in (0..).zip(PLAYERS) {
        let boxes = json!([
            at("player", [share(near) - 0.04, 0.64, 0.08, 0.24]),
            at("player", [share(far) - 0.0225, 0.19, 0.045, 0.12]),
        ]);
        script.point("players", number * 200, &[("boxes", boxes)]);
    }
    script
}

#[test]
fn every_hit_and_bounce_of_a_real_rally() {
    let fold = fold_of("rally", json!({}));
    for chunk in [500, 1000, 6000] {
        let told = observations(&script().chunked(chunk).run(&fold));
        let seen = [
            (833, "bounce"),
            (1167, "hit"),
            (2167, "bounce"),
            (2433, "hit"),
            (3200, "bounce"),
            (3633, "hit"),
            (4600, "bounce"),
            (4833, "hit"),
        ];
        assert_eq!(kinds(&told), seen, "chunks of {chunk} ms");
        let rally = told.iter().find(|(_, _, said)| said.contains_key("rally"));
        let (start, end, said) = rally.unwrap();
        let said = serde_json::to_value(said).unwrap();
        assert_eq!((*start, *end), (133, 5133));
        assert_eq!((&said["hits"], &said["bounces"]), (&json!(4), &json!(4)));
    }
}

#[test]
fn a_model_that_sees_no_players_tells_some_hits_for_bounces() {
    // Falls that end are bounces then, and hits of the near player end a fall.
    let mut script = Script::new(5133, 1);
    for (time, x, y) in BALL {
        let ball = json!([at("ball", [share(x) - 0.005, share(y) - 0.005, 0.01, 0.01])]);
        script.point("ball", time, &[("boxes", ball)]);
    }
    let told = observations(&script.run(&fold_of("rally", json!({}))));
    let hits: Vec<i64> = kinds(&told)
        .into_iter()
        .filter(|(_, kind)| *kind == "hit")
        .map(|(start, _)| start)
        .collect();
    assert_eq!(hits, [2433, 4833]);
    assert_eq!(kinds(&told).len(), 8);
}
