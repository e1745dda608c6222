package main

import (
	"bytes"
	"fmt"
	"time"
)

// The picture's measures, in its own units.
const (
	width, left, right = 860, 70, 20
	leaderY, heirY     = 58, 118 // of the bars
	bar                = 24
	axisY              = 172
)

// style serves light and dark pages.
const style = `<style>
text{font:13px sans-serif;fill:#24292f}.s{font-size:11px}.w{fill:#fff}
.l{fill:#0969da}.g{fill:#0969da;opacity:.3}.h{fill:#57606a;opacity:.25}.n{fill:#1a7f37}
.b{stroke:#57606a;stroke-width:1.5}.a{stroke:#57606a}.k{stroke:#cf222e;stroke-width:2}.t{stroke:#9a6700;stroke-width:1.5;stroke-dasharray:4 3}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.w{fill:#fff}.l,.g{fill:#1f6feb}.n{fill:#238636}.h{fill:#8b949e}
.a,.b{stroke:#8b949e}.k{stroke:#f85149}.t{stroke:#d29922}}
</style>
`

// canvas draws instants at their places.
type canvas struct {
	bytes.Buffer
	f        *failover
	from, to int64
}

func (c *canvas) x(at int64) float64 {
	return left + float64(at-c.from)/float64(c.to-c.from)*(width-left-right)
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(class string, x, y float64, anchor, format string, args ...any) {
	c.add(`<text class="%s" x="%.0f" y="%.0f" text-anchor="%s">%s</text>`, class, x, y, anchor, fmt.Sprintf(format, args...))
}

// span draws a bar from one instant to another.
func (c *canvas) span(class string, y int, from, to int64) {
	from = max(from, c.from)
	c.add(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, class, c.x(from), y, c.x(to)-c.x(from), bar)
}

func (c *canvas) vertical(class string, at int64, from, to int) {
	c.add(`<path class="%s" d="M%.1f %dV%d"/>`, class, c.x(at), from, to)
}

// draw returns the picture as SVG.
func (f *failover) draw() []byte {
	c := &canvas{f: f, from: f.killed - int64(f.lease)*5/4, to: f.expired + int64(f.lease)/3}
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d 200" role="img" aria-label="%s killed at 0, %s leads after %.1f s, session expired after %.1f s">`,
		width, leader, heir, f.after(f.elected), f.after(f.expired))
	c.WriteString(style)
	c.leader()
	c.heir()
	c.axis()
	c.add("</svg>")
	return c.Bytes()
}

func (c *canvas) leader() {
	f := c.f
	c.text("", left-8, leaderY+18, "end", leader)
	c.span("l", leaderY, c.from, f.killed)
	c.span("g", leaderY, f.killed, f.leaseEnd)
	c.text("w s", c.x(c.from)+6, leaderY+16, "start", "leads, token %d", f.oldToken)
	c.text("s", c.x(f.killed)+6, leaderY+16, "start", "the rest of its lease")
	c.beats(f.beats[0], leaderY)
	c.vertical("k", f.killed, 30, axisY)
	c.text("", c.x(f.killed), 22, "middle", "kill -9")
	c.vertical("t", f.expired, 30, axisY)
	c.text("", c.x(f.expired)+right, 22, "end", "session expires: %.1f s", f.after(f.expired))
}

func (c *canvas) heir() {
	f := c.f
	c.text("", left-8, heirY+18, "end", heir)
	c.span("h", heirY, c.from, f.elected)
	c.span("n", heirY, f.elected, c.to)
	c.text("s", c.x(c.from)+6, heirY+16, "start", "heir: reads the heartbeat")
	c.text("w s", c.x(f.elected)+6, heirY+16, "start", "leads, token %d", f.newToken)
	c.beats(f.beats[1], heirY)
	c.vertical("k", f.elected, 30, axisY)
	c.text("", c.x(f.elected), 22, "middle", "takes over: %.1f s", f.after(f.elected))
}

// beats marks the heartbeats above a bar.
func (c *canvas) beats(at []int64, y int) {
	c.text("s", left-8, float64(y-2), "end", "beats")
	for _, b := range at {
		if b > c.from && b < c.to {
			c.vertical("b", b, y-9, y-2)
		}
	}
}

// axis draws the seconds, as many as have room.
func (c *canvas) axis() {
	c.add(`<path class="a" d="M%d %dH%d"/>`, left, axisY, width-right)
	step := int64(time.Second)
	for (c.to-c.from)/step > 40 {
		step *= 5
	}
	for at := c.f.killed - (c.f.killed-c.from)/step*step; at <= c.to; at += step {
		c.vertical("a", at, axisY, axisY+4)
		if seconds := (at - c.f.killed) / int64(time.Second); seconds%5 == 0 || at == c.f.killed {
			c.text("s", c.x(at), axisY+18, "middle", "%d s", seconds)
		}
	}
}
