//go:build !race

package sim

import "time"

const (
	seedsInTest = 20

	lengthInTest = 10 * time.Minute
)
