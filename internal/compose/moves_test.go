//go:build linux

package compose

import "testing"

func moves(t *testing.T, p *project) {}
