//go:build race

package sim

const (
	raceEnabled = true
	seedsInTest = 3 // with all processors
)
