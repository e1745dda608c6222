//go:build race

package sim

const (
	raceEnabled = true
	seedsInTest = 10 // with all processors
)
