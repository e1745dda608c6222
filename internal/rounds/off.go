//go:build !race

package rounds

// RaceDetector says whether the race detector is on.
const RaceDetector = false
