package recipeprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe"
)

const namespace = "zkrecipe"

// descs are metrics that are made at each scrape.
type descs []*prometheus.Desc

// add describes one more.
func (d *descs) add(name, help string, labels ...string) *prometheus.Desc {
	one := prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	*d = append(*d, one)
	return one
}

// perName are those with the label name, which is their first.
var perName descs

func describe(name, help string, labels ...string) *prometheus.Desc {
	return perName.add(name, help, append([]string{"name"}, labels...)...)
}

// droppedHelp is the help of the counters of events that were dropped.
const droppedHelp = "Events that were dropped, because a subscriber was too slow."

// out takes the metrics of one name.
type out struct {
	name string
	all  []prometheus.Metric
}

func (o *out) gauge(d *prometheus.Desc, v float64, labels ...string) {
	o.all = append(o.all, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{o.name}, labels...)...))
}

func (o *out) counter(d *prometheus.Desc, v float64, labels ...string) {
	o.all = append(o.all, prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{o.name}, labels...)...))
}

func (o *out) times(d *prometheus.Desc, t recipe.Times) {
	within := map[float64]uint64{}
	for i, n := range t.Within {
		within[(time.Millisecond << (2 * i)).Seconds()] = n
	}
	o.all = append(o.all, prometheus.MustNewConstHistogram(d, t.Count, t.Sum.Seconds(), within, o.name))
}

// reasons are those that have a figure from the beginning, 0: a rate is seen only if there was a
// zero before. Others get one when they occur.
func (o *out) reasons(d *prometheus.Desc, counted map[recipe.Reason]uint64, usual ...recipe.Reason) {
	for _, r := range usual {
		if counted[r] == 0 {
			o.counter(d, 0, r.String())
		}
	}
	for r, n := range counted {
		o.counter(d, float64(n), r.String())
	}
}
