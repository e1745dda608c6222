//go:build !zkrecipe_noise

package zktest

func noise() {}
