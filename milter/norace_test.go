//go:build !race

package milter

// raceDetector: it allocates on its own account.
const raceDetector = false
