// Package recipeprom gives Prometheus the figures of elections and of the sessions
// they stand on. Nothing is registered globally.
//
//	registry.MustRegister(recipeprom.ForClient(client)) // once per client
//
//	metrics := recipeprom.New()
//	prometheus.WrapRegistererWith(prometheus.Labels{"election": "billing"}, registry).MustRegister(metrics)
//	el, err := election.New(client, "/billing", election.Config{})
//	...
//	metrics.Add(el)
//
// # Labels
//
// The metrics have no labels of their own beside state and reason; those that tell one
// [Metrics] from another are yours to choose when you register it, as above. The rules in
// alerts.yml expect the label election. The candidate's ID belongs in no label: it is new
// with each start, and Prometheus's instance tells processes apart.
//
// One Metrics may have any number of candidates, and adds up what they tell. A service with
// a thousand shards, each an election of its own, adds all of them to one Metrics: that
// is some 80 series in all, where a thousand labels would be 80,000. Where a sum says
// nothing the extreme is given: the oldest term, the shortest lease, the place furthest
// back, the largest token.
//
// # The election
//
// Times are seconds. A metric that would mean nothing at the moment is absent: the token of
// who does not lead, the place of who is not in line.
//
// zkrecipe_election_leader (gauge): terms that are valid now, 0 or 1 for one candidate. The
// sum over all processes is 1 when all is well; the number of shards where they are many.
//
// zkrecipe_election_candidates (gauge; state): candidates by what they do, in the words of
// election.State. Waiting, heir, leading and draining stand in line. Who is joining or
// backing off for minutes has no session, or is refused; unhealthy ones were told so by
// your Config.Healthy.
//
// zkrecipe_election_position (gauge): how many stand ahead; 0 for the leader, 1 for its
// heir.
//
// zkrecipe_election_token (gauge): the fencing token. It only grows, from leader to leader:
// if it falls, the ensemble's data went back to an older state, and those who compare
// tokens refuse the new leader until it has caught up. As any value here it is a float64,
// exact up to 2^53, which ZooKeeper's zxids reach after two million of its own elections.
//
// zkrecipe_election_term_start_time_seconds (gauge): when the term began. Its age is
// time() minus that.
//
// zkrecipe_election_lease_remaining_seconds (gauge): how long the term lasts if nothing
// extends it. While beats succeed it moves between three quarters of the lease, D, and the whole;
// less tells of a slow ensemble or network.
//
// zkrecipe_election_terms_total (counter; reason): terms that have ended, in the words of
// recipe.Reason. Returned, released, stopped, cancelled and closed are the service's own
// doing, panicked and unhealthy too; lease expired and session lost are the
// ensemble's, the network's, or a pause of this process; node deleted may be somebody's
// hand.
//
// zkrecipe_election_win_seconds (histogram): from joining the line to being elected. Its
// count is the number of terms begun. Short ones after a failure are the time to win;
// where somebody led meanwhile, it is how long that went on.
//
// zkrecipe_election_drain_seconds (histogram): from the end of a term until its znode was
// gone, or nobody waited for it any more. Until then nobody else leads where the end was
// our own choice: if this nears DrainTimeout, the work is slow to heed its context.
//
// zkrecipe_election_reentry_seconds (histogram): from leaving the line to standing in it
// again, the growing delays between attempts included, and the pause that a user of Campaign
// makes. Its count is the number of re-entries.
//
// zkrecipe_election_failures_total (counter): attempts to join, or to stay in line, that
// failed, and times that there was no session for long. The log and Status.Err tell why.
//
// zkrecipe_election_blocked (gauge): candidates behind a persistent znode. Nobody is elected
// until somebody deletes it; the candidate's log names it.
//
// zkrecipe_election_takeovers_total (counter): silent candidates, as after a crash, whose znodes
// were deleted in a takeover.
//
// zkrecipe_election_withheld_total (counter): how often a candidate was first and had to wait,
// because a departure was not announced and another may still have counted itself the leader.
// It grows when znodes are deleted by hand, and when sessions are closed or expire without an
// announcement and without a takeover.
//
// zkrecipe_election_impaired (gauge), zkrecipe_election_impairments_total (counter): candidates
// that have noticed, now and ever, that a change of leader may take longer than it has to, most
// often because a permission is missing. Status.Impaired and the log tell why.
//
// With election.Config.FollowLeader, which costs some reads at each change, there are two more:
//
// zkrecipe_election_leader_changes_total (counter): how often another came to be first in
// line, as seen from here.
//
// zkrecipe_election_leaderless_seconds_total (counter): time in which nobody stood in line,
// as seen from here. A leader that has crashed stands in line until its heir takes over or
// its session expires, and a candidate that is cut off sees what it saw last: this counts
// services that are down or stay out, not the gap of a failover. For that see the sum of
// zkrecipe_election_leader, to the accuracy of a scrape.
//
// # The session
//
// zkrecipe_session_connected (gauge): 1 while a server answers. A short 0 harms nobody.
//
// zkrecipe_session_timeout_seconds (gauge): the session timeout T. If it is not what you
// asked for, the servers' limits are narrower.
//
// zkrecipe_session_lease_seconds (gauge): the length of a lease, D. After a crash the heir waits
// for 17/16 D before it takes over.
//
// zkrecipe_session_lease_remaining_seconds (gauge): how long the lease by the session's latest
// beat runs, 0 without one: only the sessions of leaders and heirs beat.
//
// zkrecipe_session_opened_total, zkrecipe_session_lost_total (counters): sessions granted,
// and those that ended otherwise than by being closed. A loss ends all terms of the client
// and sends its candidates to the end of the line: it should be rare.
//
// zkrecipe_session_ephemeral_bytes (gauge): how many bytes the paths of the session's ephemeral
// znodes have, in all; see session.Config.EphemeralBytes.
//
// zkrecipe_session_reconnects_total (counter): connections that continued a session. Each
// restart of a server makes some.
//
// zkrecipe_session_beat_seconds (histogram): how long beats of the session's heartbeat took, each
// a write to the quorum. One that takes D/4 makes the session try another server, so what
// matters is the distance from that.
//
// zkrecipe_session_beat_failures_total (counter): beats that were not answered, or refused. One
// here and there is a server that went away.
//
// # Alerts
//
// The file alerts.yml beside this has rules for Prometheus to load as they are, each with
// what it means and what to do. They expect a scrape at least every 30 seconds, and
// compare processes of one job.
package recipeprom
