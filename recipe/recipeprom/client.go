package recipeprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/session"
)

var perClient descs

var (
	connectedDesc    = perClient.add("session_connected", "1 while a server answers, 0 otherwise.")
	timeoutDesc      = perClient.add("session_timeout_seconds", "The session timeout T: as granted, or as asked for before that, in seconds.")
	leaseTimeDesc    = perClient.add("session_lease_seconds", "The length of a lease, D: how long one lasts from the beginning of the beat that extends it, in seconds.")
	sessionLeaseDesc = perClient.add("session_lease_remaining_seconds", "How long the lease by the session's latest beat runs, in seconds; 0 without one.")
	openedDesc       = perClient.add("session_opened_total", "Sessions that were granted.")
	lostDesc         = perClient.add("session_lost_total", "Sessions that ended otherwise than by being closed.")
	reconnectsDesc   = perClient.add("session_reconnects_total", "Connections that continued a session.")
	beatDesc         = perClient.add("session_beat_seconds", "Time from sending a beat of the session's heartbeat to its answer, for those that succeeded, in seconds.")
	ephemeralsDesc   = perClient.add("session_ephemeral_bytes", "Bytes of the paths of the session's ephemeral znodes: see session.Config.EphemeralBytes.")
	beatFailedDesc   = perClient.add("session_beat_failures_total", "Beats that were not answered, or refused.")
	linesDesc        = perClient.add("session_log_lines_dropped_total", "Log lines of the client and its recipes that were dropped, because a logger was too slow.")
	statesDesc       = perClient.add("session_states_dropped_total", "States of sessions that were dropped, because a subscriber was too slow.")
)

// ForClient returns a collector of the figures of a client's sessions. Register one for each
// client, however many elections share it; where there are several clients, with a label that tells
// them apart.
func ForClient(client *session.Client) prometheus.Collector { return clientCollector{client} }

type clientCollector struct{ client *session.Client }

func (clientCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range perClient {
		ch <- d
	}
}

func (c clientCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.client.Status()
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	connected := 0.0
	if st.State == session.StateConnected {
		connected = 1
	}
	gauge(connectedDesc, connected)
	gauge(timeoutDesc, st.Timeout.Seconds())
	gauge(leaseTimeDesc, st.LeaseTime.Seconds())
	gauge(sessionLeaseDesc, st.LeaseRemaining.Seconds())
	gauge(ephemeralsDesc, float64(st.EphemeralBytes))
	counter(openedDesc, st.Counts.Sessions)
	counter(lostDesc, st.Counts.Lost)
	counter(reconnectsDesc, st.Counts.Reconnects)
	counter(beatFailedDesc, st.Counts.FailedBeats)
	counter(linesDesc, st.LinesDropped)
	counter(statesDesc, st.StatesDropped)
	within := map[float64]uint64{}
	for i, n := range st.Counts.BeatsWithin {
		within[(time.Millisecond << i).Seconds()] = n
	}
	ch <- prometheus.MustNewConstHistogram(beatDesc, st.Counts.Beats, st.Counts.BeatTime.Seconds(), within)
}
