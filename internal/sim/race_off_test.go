//go:build !race

package sim

const (
	raceEnabled = false
	seedsInTest = 20
)
