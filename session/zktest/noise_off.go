//go:build !noise

package zktest

func noise() {}
