//go:build !race

package sim

import "time"

const (
	raceEnabled = false
	seedsInTest = 20

	lengthInTest = 10 * time.Minute
)
