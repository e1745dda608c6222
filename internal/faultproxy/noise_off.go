//go:build !zkrecipe_noise

package faultproxy

func (p *Proxy) noise() {}
