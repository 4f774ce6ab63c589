use classifier::*;
use domain::*;
use std::time::Instant;
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM"))
        .collect::<Vec<_>>()
        .join(" ")
}
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let path = format!("/tmp/cat_{n}.bin");
    if std::env::args().nth(2).is_some() {
        let t = Instant::now();
        let c = generator::catalogue(n, 1);
        println!("generate {:?} {}", t.elapsed(), rss());
        let t = Instant::now();
        let b = c.to_bytes();
        println!("to_bytes {:?} {} MB", t.elapsed(), b.len() >> 20);
        std::fs::write(&path, &b).unwrap();
        let t = Instant::now();
        let mut f = Vec::new();
        generator::write_csv(&mut f, n, 1).unwrap();
        println!("csv {:?} {} MB", t.elapsed(), f.len() >> 20);
        drop(c);
        drop(b);
        let t = Instant::now();
        let i = catalogue::read_csv(f.as_slice(), None, &mut |_| {}).unwrap();
        println!("read_csv {:?} {} {}", t.elapsed(), i.accepted, rss());
        return;
    }
    let b = std::fs::read(&path).unwrap();
    println!("file read {}", rss());
    let t = Instant::now();
    let c = Catalogue::from_bytes(&b).unwrap();
    println!("from_bytes {:?} {}", t.elapsed(), rss());
    drop(b);
    println!("{}", rss());
    let base = BaseModel::neutral(c.schema());
    let mut input = TasteInput::default();
    for i in 0..200u32 {
        let t = (i * 7919) % n as u32;
        let r = if i % 2 == 0 { Rating::Like } else { Rating::Dislike };
        input.taste.add(&c.describe(t), r);
        input.ratings.insert(c.id(t), r);
    }
    let q = model::ListenerModel::learn(&base, &input.taste).quadratics();
    let mut s = vec![0f32; n];
    for _ in 0..5 {
        let t = Instant::now();
        score::score_columns(c.columns(), &q, &mut s);
        println!("score {:?}", t.elapsed());
    }
    for _ in 0..3 {
        let t = Instant::now();
        let x: u32 = c.columns().iter().fold(0u32, |a, v| a ^ v.to_bits());
        println!("read bandwidth pass {:?} {x}", t.elapsed());
    }
    let mut b5 = PlaylistRequest {
        limit: 500,
        ..Default::default()
    };
    let mut b6 = b5.clone();
    b6.order = Order::Smooth;
    let b7 = PlaylistRequest {
        minimums: [("tempo".to_string(), 90.0)].into(),
        ..b5.clone()
    };
    b5.limit = 500;
    let base_req = PlaylistRequest {
        limit: 50,
        ..Default::default()
    };
    let mut b2 = base_req.clone();
    b2.limit = 500;
    b2.minimums.insert("tempo".into(), 90.0);
    b2.maximums.insert("energy".into(), 0.9);
    b2.order = Order::Smooth;
    let mut b3 = base_req.clone();
    b3.exploration = 0.5;
    let mut b4 = base_req.clone();
    b4.seed_genres = vec!["rock".into()];
    b4.seed_artists = vec![c.artist_name(5).into()];
    for (name, r, inp) in [
        ("plain", &base_req, &input),
        ("cold", &base_req, &TasteInput::default()),
        ("500+bounds+smooth", &b2, &input),
        ("500", &b5, &input),
        ("500smooth", &b6, &input),
        ("500bound", &b7, &input),
        ("seeds", &b4, &input),
    ] {
        for _ in 0..4 {
            let t = Instant::now();
            let g = generate_playlist(&c, &base, inp, r, 1).unwrap();
            println!("{name} {:?} {}", t.elapsed(), g.returned);
        }
    }
    for q in ["zz", "river", "Ghost of", "a"] {
        let t = Instant::now();
        let p = c.search(Some(q), 0, 50);
        println!("search {q} {:?} {}", t.elapsed(), p.tracks.len());
    }
}
