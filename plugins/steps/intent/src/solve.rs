//! Weighs examples against each other: the solution of (alike + common + doubt) x = right, by conjugate gradients. The matrix is only
//! multiplied with, never written out.

/// How little an example is believed by itself: its label may be wrong, its words chance.
pub const DOUBT: f32 = 0.3;

/// How much any two texts have in common, whatever they say.
pub const COMMON: f32 = 0.25;

/// Steps towards the solution; it hardly moves after these.
const STEPS: usize = 15;

/// The solution, where `times` multiplies the matrix with numbers.
pub fn solve(mut times: impl FnMut(&[f32]) -> Vec<f32>, right: &[f32]) -> Vec<f32> {
    let mut x = vec![0.0; right.len()];
    let mut rest = right.to_vec();
    let mut way = rest.clone();
    let mut left = dot(&rest, &rest);
    let enough = left * 1e-8;
    for _ in 0..STEPS {
        if left <= enough {
            break;
        }
        let common = COMMON * way.iter().sum::<f32>();
        let mut moved = times(&way);
        for (moved, way) in moved.iter_mut().zip(&way) {
            *moved += common + DOUBT * way;
        }
        let step = left / dot(&way, &moved).max(f32::MIN_POSITIVE);
        add(&mut x, &way, step);
        add(&mut rest, &moved, -step);
        let now = dot(&rest, &rest);
        for (way, rest) in way.iter_mut().zip(&rest) {
            *way = rest + *way * (now / left);
        }
        left = now;
    }
    x
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f32], what: &[f32], times: f32) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what * times;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_solves() {
        let alike = [[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 1.0]];
        let right = [0.9, 0.4, 0.1];
        let times = |x: &[f32]| alike.iter().map(|row| dot(row, x)).collect::<Vec<f32>>();
        let x = solve(times, &right);
        let all: f32 = x.iter().sum();
        for (at, product) in times(&x).into_iter().enumerate() {
            assert!((product + DOUBT * x[at] + COMMON * all - right[at]).abs() < 1e-5, "{x:?}");
        }
        assert!(solve(|_| Vec::new(), &[]).is_empty());
        assert_eq!(solve(|x| x.to_vec(), &[0.0, 0.0]), [0.0, 0.0]);
    }
}
