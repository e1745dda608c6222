//go:build race

package sim

import "time"

const (
	seedsInTest = 2 // with all processors

	lengthInTest = 3 * time.Minute // a race shows in a short run, too
)
