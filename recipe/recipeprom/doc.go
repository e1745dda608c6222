// Package recipeprom gives Prometheus the figures of the recipes and of the sessions they stand on.
// Nothing is registered globally.
//
//	metrics := recipeprom.New()
//	registry.MustRegister(metrics, recipeprom.ForClient(client))
//
//	metrics.Add("billing", el)          // an election
//	metrics.Add("index", indexLock)     // a lock
//	metrics.Add("workers", m, members)  // a member of a group, and who follows it
//
// A program to copy from: examples/service. The example of package recipehttp has metrics, a status
// page and a probe.
//
// # Labels
//
// Each metric of a recipe has the label name: what Add was given. It says what the recipe is for,
// in your words, and is the same in all processes; the rules in alerts.yml compare those of one job
// with the same name. An ID or a path is not a good name: each process has a different ID, and each
// object a different path. Prometheus's instance tells processes apart.
//
// One name may have any number of recipes, whose figures are added up. A service with a thousand
// shards, each an election of its own, or with a lock for each customer, adds all of them under one
// name, and removes those that it does not use any more: that is some 80 series in all. Each
// further name adds 80, so names beyond the hundredth count together, as "other". If a sum says
// nothing, the metric is the extreme: the oldest term, the shortest lease, the place furthest back,
// the largest token.
//
// The other labels are state and reason, whose values are words of this library. With several
// clients in one process, register each ForClient with a label of yours
// (prometheus.WrapRegistererWith).
//
// No recipe waits for a scrape, however slow it is. Locks, semaphores, members, caches and values
// are asked for their totals at each scrape; elections are followed by their events, of which up to
// 1000 wait (election.Status.EventsDropped).
//
// # Elections
//
// Times are seconds. A metric that would mean nothing at the moment is absent: the token of a
// candidate that does not lead, the place of one that is not in line.
//
// zkrecipe_election_leader (gauge): terms that are valid now, 0 or 1 for one candidate. The sum
// over all processes is 1 when all is well; with many shards it is their number.
//
// zkrecipe_election_candidates (gauge; state): candidates by what they do, in the words of
// election.State. Waiting, heir, leading and draining stand in line. A candidate that is joining or
// backing off for minutes has no session, or is refused. For an unhealthy one, your Config.Healthy
// returns an error.
//
// zkrecipe_election_position (gauge): how many stand ahead; 0 for the leader, 1 for its heir.
//
// zkrecipe_election_token (gauge): the fencing token. It only grows, from leader to leader: if it
// falls, the ensemble's data went back to an older state, and those who compare tokens refuse the
// new leader until it has caught up. As any value here it is a float64, exact up to 2^53, which
// ZooKeeper's zxids reach after two million of its own elections.
//
// zkrecipe_election_term_start_time_seconds (gauge): when the term began. Its age is time() minus
// that.
//
// zkrecipe_election_lease_remaining_seconds (gauge): how long the term lasts if nothing extends it.
// While beats succeed it moves between three quarters of the lease, D, and the whole; less tells of
// a slow ensemble or network.
//
// zkrecipe_election_terms_total (counter; reason): terms that have ended, in the words of
// recipe.Reason. Returned, released, stopped, cancelled and closed are the service's own doing,
// panicked and unhealthy too; lease expired and session lost come from the ensemble, the network,
// or a pause of this process; node deleted may mean that somebody deleted the znode.
//
// zkrecipe_election_win_seconds (histogram): from joining the line to being elected. Its count is
// the number of terms begun. After a failure, a short value is the time that it took to be elected.
// If somebody led meanwhile, the value includes that time.
//
// zkrecipe_election_drain_seconds (histogram): from the end of a term until its znode was gone, or
// nobody waited for it any more. Until then nobody else leads where the end was our own choice: if
// this nears DrainTimeout, the work is slow to stop when its context ends.
//
// zkrecipe_election_reentry_seconds (histogram): from leaving the line to standing in it again, the
// growing delays between attempts included, and the pause that a user of Campaign makes. Its count
// is the number of re-entries.
//
// zkrecipe_election_failures_total (counter): attempts to join, or to stay in line, that failed,
// and times that there was no session for long. The log and Status.Err tell why.
//
// zkrecipe_election_blocked (gauge): candidates behind a persistent znode. Nobody is elected until
// somebody deletes it; the candidate's log names it.
//
// zkrecipe_election_takeovers_total (counter): silent candidates, as after a crash, whose znodes
// were deleted in a takeover.
//
// zkrecipe_election_withheld_total (counter): how often a candidate was first and had to wait,
// because a departure was not announced and another may still have counted itself the leader. It
// grows when znodes are deleted by hand, and when sessions are closed or expire without an
// announcement and without a takeover.
//
// zkrecipe_election_impaired (gauge), zkrecipe_election_impairments_total (counter): candidates
// that have noticed, now and ever, that a change of leader may take longer than it has to, most
// often because a permission is missing. Status.Impaired and the log tell why.
//
// zkrecipe_election_events_dropped_total (counter): events that were dropped, because a subscriber
// did not take them: see election.Status.EventsDropped. This package is one of the subscribers.
//
// With election.Config.FollowLeader, which costs some reads at each change, there are two more:
//
// zkrecipe_election_leader_changes_total (counter): how often another came to be first in line, as
// seen from here.
//
// zkrecipe_election_leaderless_seconds_total (counter): time in which nobody stood in line, as seen
// from here. A leader that has crashed stands in line until its heir takes over or its session
// expires, and a candidate that is cut off sees what it saw last: this counts services that are
// down or stay out, not the gap of a failover. For that see the sum of zkrecipe_election_leader, to
// the accuracy of a scrape.
//
// # Locks and semaphores
//
// Those of a lock begin with zkrecipe_lock, those of a semaphore with zkrecipe_semaphore. A
// read-write lock counts both of its sides.
//
// zkrecipe_lock_held, zkrecipe_semaphore_held (gauge): locks, or permits, that are valid in this
// process now.
//
// zkrecipe_lock_waiting, zkrecipe_semaphore_waiting (gauge): calls of Acquire that wait now.
//
// zkrecipe_lock_waiting_longest_seconds, zkrecipe_semaphore_waiting_longest_seconds (gauge),
// zkrecipe_lock_held_longest_seconds, zkrecipe_semaphore_held_longest_seconds (gauge): for how long
// the oldest has been waiting, or has been held; 0 if there is none.
//
// zkrecipe_lock_lease_remaining_seconds, zkrecipe_semaphore_lease_remaining_seconds (gauge): the
// shortest time for which something that is held lasts if nothing extends it. While beats succeed
// it moves between three quarters of the lease, D, and the whole.
//
// zkrecipe_lock_blocked, zkrecipe_semaphore_blocked (gauge): calls that wait behind a persistent
// znode.
//
// zkrecipe_lock_impaired, zkrecipe_semaphore_impaired (gauge): calls that may wait for longer than
// the lease allows, most often because a permission is missing.
//
// zkrecipe_lock_acquire_seconds, zkrecipe_semaphore_acquire_seconds (histogram): how long the
// successful calls of Acquire took. The count is the number of acquisitions.
//
// zkrecipe_lock_hold_seconds, zkrecipe_semaphore_hold_seconds (histogram): how long those that are
// over were held.
//
// zkrecipe_lock_ended_total, zkrecipe_semaphore_ended_total (counter; reason): how many are over,
// in the words of recipe.Reason. Lease expired, session lost and node deleted are losses: the work
// had to stop, or it overlaps with the work of the next holder.
//
// zkrecipe_lock_busy_total, zkrecipe_semaphore_busy_total (counter): calls of TryAcquire that found
// it taken.
//
// zkrecipe_lock_gave_up_total, zkrecipe_semaphore_gave_up_total (counter): calls of Acquire that
// failed otherwise, most often because their context ended.
//
// zkrecipe_lock_failures_total, zkrecipe_semaphore_failures_total (counter): attempts to stand in
// line that failed and were repeated, and times that there was no session for long.
//
// zkrecipe_lock_takeovers_total, zkrecipe_semaphore_takeovers_total (counter): silent sessions
// ahead, as after a crash, whose znodes were deleted.
//
// zkrecipe_lock_withheld_total, zkrecipe_semaphore_withheld_total (counter): how often this process
// was next and had to wait, because a departure was not announced.
//
// zkrecipe_lock_events_dropped_total, zkrecipe_semaphore_events_dropped_total (counter): events
// that were dropped, because a subscriber did not take them.
//
// zkrecipe_semaphore_size (gauge): how many permits there are, as this process has read it last.
//
// # Groups
//
// Of own members:
//
// zkrecipe_group_listed, zkrecipe_group_unlisted (gauge): members that know that they are listed,
// and those that are not, or do not know it, though their membership goes on.
//
// zkrecipe_group_listings_total (counter), zkrecipe_group_unlistings_total (counter; reason): how
// often a listing began and ended.
//
// zkrecipe_group_rejoins_total (counter): how often a member had to make another znode.
//
// zkrecipe_group_failures_total (counter): attempts to be listed that failed.
//
// zkrecipe_group_events_dropped_total (counter): events that were dropped, because a subscriber did
// not take them.
//
// Of what group.Group.Watch returns:
//
// zkrecipe_group_lists, zkrecipe_group_lists_known (gauge): how many there are, and how many of
// them have a list and go on.
//
// zkrecipe_group_members (gauge): members that are in the lists.
//
// zkrecipe_group_joined_total, zkrecipe_group_left_total (counter): members that were seen to come
// and to go since the first list.
//
// zkrecipe_group_age_seconds (gauge): age of the oldest list. It stays below a few times
// group.Config.Prove. Lists without regular proofs do not count.
//
// # Caches
//
// zkrecipe_cache_caches, zkrecipe_cache_following (gauge): how many caches there are, and how many
// of them are complete and told of each change. The difference is those that may be old.
//
// zkrecipe_cache_znodes, zkrecipe_cache_bytes, zkrecipe_cache_unread (gauge): what they hold, and
// how many znodes are being read or wait for it.
//
// zkrecipe_cache_age_seconds (gauge): time since it was proved last that nothing is missing, in the
// oldest cache. A proof is made at the beginning of a session and by Fresh, so where nobody calls
// that, a large age means nothing.
//
// zkrecipe_cache_reads_total, zkrecipe_cache_events_total (counter): requests, and events of the
// servers.
//
// zkrecipe_cache_changes_total (counter): changes of znodes.
//
// zkrecipe_cache_restores_total, zkrecipe_cache_proofs_total (counter): connections on which the
// watches were left again, and proofs.
//
// # Values and counters
//
// zkrecipe_value_changes_total, zkrecipe_value_writes_total (counter): changes that were carried
// out, and the transactions for them: one may carry several additions.
//
// zkrecipe_value_conflicts_total (counter): attempts that were too late. Many of them tell of a
// znode that many change.
//
// zkrecipe_value_lost_answers_total (counter): transactions whose answer was lost. The library then
// finds out the outcome, if that is possible.
//
// zkrecipe_value_unknown_total (counter): changes whose outcome is not known. The caller has got a
// value.UnknownError.
//
// # The session
//
// zkrecipe_session_connected (gauge): 1 while a server answers. A short 0 does no harm.
//
// zkrecipe_session_timeout_seconds (gauge): the session timeout T. If it is not what you asked for,
// the servers' limits are narrower.
//
// zkrecipe_session_lease_seconds (gauge): the length of a lease, D. After a crash the heir waits
// for 4.25 s at D = 4 s (17/16 D) before it takes over.
//
// zkrecipe_session_lease_remaining_seconds (gauge): how long the lease by the session's latest beat
// runs, 0 without one: only the sessions of leaders and heirs beat.
//
// zkrecipe_session_opened_total, zkrecipe_session_lost_total (counters): sessions granted, and
// those that ended otherwise than by being closed. A loss ends all terms of the client and sends
// its candidates to the end of the line: it should be rare.
//
// zkrecipe_session_ephemeral_bytes (gauge): how many bytes the paths of the session's ephemeral
// znodes have, in all; see session.Config.EphemeralBytes.
//
// zkrecipe_session_reconnects_total (counter): connections that continued a session. Each restart
// of a server makes some.
//
// zkrecipe_session_beat_seconds (histogram): how long beats of the session's heartbeat took, each a
// write to the quorum. One that takes D/4 makes the session try another server, so what matters is
// the distance from that.
//
// zkrecipe_session_beat_failures_total (counter): beats that were not answered, or refused. A
// single one now and then means that a server went away.
//
// zkrecipe_session_log_lines_dropped_total (counter): log lines that were dropped, because a logger
// of the client or of its recipes was too slow.
//
// zkrecipe_session_states_dropped_total (counter): states of sessions that were dropped, because a
// subscriber was too slow.
//
// # Alerts
//
// The file alerts.yml beside this has rules for Prometheus to load as they are, each with what it
// means and what to do. They expect a scrape at least every 30 seconds, and compare processes of
// one job.
package recipeprom
