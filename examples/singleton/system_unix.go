//go:build unix && !linux && !aix

package main

import "os"

// Here a job is its process group, and outlives a guardian that is killed.
func becomeSubreaper()     {}
func childrenOf(int) []int { return nil }

// self is this program's file.
var self, _ = os.Executable()
