//go:build race

package sim

const (
	raceEnabled = true
	seedsInTest = 2 // with all processors
)
