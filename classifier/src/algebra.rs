//! Small dense linear algebra with one fixed order of operations, so that its results have the same bits everywhere.

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    size: usize,
    rows: Vec<f64>,
}

/// The lower triangle `L` of a symmetric positive definite matrix `L L^T`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    size: usize,
    rows: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros with `size` rows and columns.
    #[must_use]
    pub fn zeros(size: usize) -> Self {
        Self {
            size,
            rows: vec![0.0; size * size],
        }
    }

    /// The number in `row` and `column`.
    ///
    /// # Panics
    /// Outside the matrix, as do all functions that take a place.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.rows[row * self.size + column]
    }

    /// Adds `value` in `row` and `column`.
    pub fn add(&mut self, row: usize, column: usize, value: f64) {
        self.rows[row * self.size + column] += value;
    }

    /// Adds `weight x x^T`.
    pub fn add_outer(&mut self, x: &[f64], weight: f64) {
        for (row, &left) in self.rows.chunks_mut(self.size.max(1)).zip(x) {
            for (entry, &right) in row.iter_mut().zip(x) {
                *entry += weight * left * right;
            }
        }
    }

    /// Factors a symmetric positive definite matrix, of which the lower triangle is read. A pivot that is not above
    /// `least` is taken as `least`, so the result is finite whenever the entries are.
    #[must_use]
    pub fn cholesky(&self, least: f64) -> Cholesky {
        let size = self.size;
        let mut rows = self.rows.clone();
        let mut column = vec![0.0; size];
        for place in 0..size {
            let pivot = rows[place * size + place];
            let root = if pivot > least { pivot } else { least }.sqrt();
            rows[place * size + place] = root;
            for row in place + 1..size {
                rows[row * size + place] /= root;
                column[row] = rows[row * size + place];
            }
            rows[place * size + place + 1..][..size - place - 1].fill(0.0);
            // What is left of the matrix, less the outer product of this column: row by row, several entries at once.
            for row in place + 1..size {
                let own = column[row];
                let rest = &mut rows[row * size + place + 1..=row * size + row];
                for (entry, other) in rest.iter_mut().zip(&column[place + 1..]) {
                    *entry -= own * other;
                }
            }
        }
        Cholesky { size, rows }
    }
}

impl Cholesky {
    /// `x` with `L L^T x = b`.
    #[must_use]
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.solve_upper(self.solve_lower(b))
    }

    /// `x` with `L x = b`. Its square is `b^T (L L^T)^-1 b`.
    #[must_use]
    pub fn solve_lower(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for row in 0..self.size {
            let entries = self.row(row);
            x[row] = (x[row] - dot(&entries[..row], &x[..row])) / entries[row];
        }
        x
    }

    /// `x` with `L^T x = b`: of independent standard normal numbers it is a draw with the covariance `(L L^T)^-1`.
    #[must_use]
    pub fn solve_upper(&self, b: Vec<f64>) -> Vec<f64> {
        let mut x = b;
        for row in (0..self.size).rev() {
            let entries = self.row(row);
            x[row] /= entries[row];
            let known = x[row];
            for (value, entry) in x[..row].iter_mut().zip(entries) {
                *value -= known * entry;
            }
        }
        x
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.rows[row * self.size..][..self.size]
    }
}

/// The sum of the products, from the first on.
#[must_use]
pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).fold(0.0, |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Matrix {
        let mut matrix = Matrix::zeros(3);
        for x in [
            [1.0, 2.0, 0.5],
            [0.0, 1.0, -1.0],
            [3.0, -1.0, 2.0],
            [0.1, 0.2, 4.0],
        ] {
            matrix.add_outer(&x, 2.0);
        }
        matrix
    }

    #[test]
    fn a_solution_solves() {
        let matrix = example();
        let b = [1.0, -2.0, 3.0];
        let x = matrix.cholesky(1e-12).solve(&b);
        for (row, wanted) in b.iter().enumerate() {
            let product: f64 = (0..3).map(|column| matrix.at(row, column) * x[column]).sum();
            assert!((product - wanted).abs() < 1e-12, "row {row}");
        }
    }

    #[test]
    fn the_square_of_a_half_solution_is_the_quadratic_form() {
        let factor = example().cholesky(1e-12);
        let b = [0.3, 1.0, -2.0];
        let half = factor.solve_lower(&b);
        assert!((dot(&half, &half) - dot(&b, &factor.solve(&b))).abs() < 1e-12);
    }

    #[test]
    fn a_singular_matrix_gives_finite_numbers() {
        let mut matrix = Matrix::zeros(2);
        matrix.add_outer(&[1.0, 1.0], 1.0);
        assert!(
            matrix
                .cholesky(1e-9)
                .solve(&[1.0, 2.0])
                .iter()
                .all(|x| x.is_finite())
        );
    }
}
