/**
 * Every limit that is not a setting: a number, its unit in the name, and why it is that number. Nothing that a peer
 * sends is queued, counted, nested or waited for without one of these (or one of the `limits` of the configuration).
 */

const kib = 1024;
const mib = 1024 * kib;

/** Names and paths. */
export const nameBytesMax = 255; // NAME_MAX of every file system we know
export const pathBytesMax = 4096; // PATH_MAX: what clients can express; our own walk has no such limit
export const pathDepthMax = 256; // one descriptor is held per level while walking
export const reservedDepthMax = 4; // levels above that: a version of the deepest file has its path below .scpd/versions
export const linksFollowedMax = 40; // MAXSYMLINKS of Linux

/** Exec requests. */
export const commandBytesMax = 32 * kib; // fits into one SSH packet; sh would allow 128 KiB
export const commandWordsMax = 1024; // sources in one `scp -f`

/** SCP. */
export const scpLineBytesMax = 4 * kib; // OpenSSH's scp reads 2048; names of 255 bytes and long error texts fit
export const scpDepthMax = pathDepthMax;
export const scpReadAheadBytes = 256 * kib; // one read of a download
export const scpListingBatchEntriesMax = 4096; // held and sorted at once while a directory is sent
export const scpEntriesMax = 10_000_000; // C and D records of one `scp -t`: more than any file system is asked to take

/** Patterns (`*`, `{a,b}`) in the paths of a command. */
export const globBytesMax = 2 * mib; // of all matches: what Linux lets a shell hand to scp (ARG_MAX)
export const globEntriesMax = 1_000_000; // directory entries that are looked at for one command
export const globBracesMax = 1024; // words that the braces of one word become

/** Companion commands and the shell that WinSCP needs. */
export const commandInputBytesMax = 64 * mib; // what a bare `md5sum` reads
export const commandOutputBytes = 32 * kib; // collected before it is sent
export const shellLineBytesMax = 16 * kib; // a command with two paths of 4 KiB, each character quoted
export const shellFirstLineMs = 3 * 1000; // a program sends its first line at once; a person gets an answer

/** SFTP. */
export const sftpPacketBytesMax = 256 * kib; // OpenSSH's SFTP_MAX_MSG_LENGTH
export const sftpReadBytesMax = sftpPacketBytesMax - kib; // 261120, as OpenSSH says in limits@openssh.com
export const sftpWriteBytesMax = sftpPacketBytesMax - kib;
export const sftpHandlesMax = 256; // per session; 60 at once have been seen
export const sftpListingEntriesMax = 100; // per READDIR answer, as OpenSSH does
export const sftpListingBytesMax = 64 * kib; // per READDIR answer
export const sftpRequestsInFlightMax = 128; // per session; OpenSSH keeps 64, many small WRITEs are gathered from more
export const sftpBytesInFlightMax = 4 * mib; // per session: data of WRITEs and answers that are being made
export const sftpWorkChunkBytes = mib; // read at once for a copy or a hash; as much of the above is taken for it
export const sftpGatheredBytesMax = mib; // of consecutive WRITEs that become one
export const sftpGatheredWriteBytesMax = 64 * kib; // larger ones gain nothing by being copied together
export const sftpHashBlockBytesMin = 256; // draft-ietf-secsh-filexfer-extensions-00, section 3

/** Rules. */
export const globStarsPerNameMax = 3; // "*" in one name: the time to match a hostile name grows with that power
export const ownedPathsMax = 100_000; // a user's own uploads that are remembered: enough for any real batch
export const ownedPathsTotalMax = 500_000; // of all users together
export const ownershipSweepMs = 60 * 1000; // how often those whose time is over are looked for, at most
export const conflictNamesMax = 100; // numbered names that are tried where a name is taken, before one of chance

/** Audit. */
export const auditTextMax = 4 * kib; // characters of one text field in a record, after escaping
export const auditRawBytesMax = pathBytesMax; // of a path that can't be shown as it is
export const auditQueueRecordsMax = 100_000; // waiting for the disk; beyond it attempts fail with AUDIT_FAILED
export const auditEarlyRecordsMax = 1000; // of the server itself, while another process still has the journal
export const auditGroupBytesMax = 256 * kib; // written and synced at once: a backlog needs no more room than this
export const auditWriteMs = 10; // a record that nobody waits for is with the operating system after this time, or after the fsync that is under way
export const auditTickMs = 1000; // and on disk after this one; as often is asked whether a checkpoint or a rotation is due
export const auditRetryMs = 1000; // how long a failed write waits before it is tried again unasked
export const auditCheckpointRecords = 1000; // at most so many records after the last signature: half a second of work
export const auditCheckpointMs = 60 * 1000; // and at most so much time
export const auditFileBytesMin = 64 * kib; // of one file of the journal: smaller ones are mostly beginnings and ends
export const auditLineBytesMax = 256 * kib; // of one record: its texts have bounds; a longer line is no record
export const receiptsMax = 10_000; // of one user: a night's batch; a block of 4 KiB each, so 40 MB
export const receiptsPruneEvery = 100; // receipts of a user that are written between two looks for those that are too many
export const receiptsWaitingMax = 1000; // of one user, for the disk; what comes then has none, the journal has it
export const receiptBytesMax = 64 * kib; // of one: all its texts have bounds; what is larger is none
export const receiptWaitMs = 1000; // how long a success waits for receipts: a disk that takes longer hangs
export const receiptNameBytesMax = 180; // of the file's name in its receipt's: what stands around it needs less than 70
export const sftpRefusalsNotedMax = 1000; // of one session, of requests that never came to a file: each costs the client 30 bytes
export const auditReadAheadBlocks = 4; // of a file that is searched, unzipped side by side: as many threads as there are, some 6 MB
export const auditSyslogQueueMax = 10_000; // records that wait for syslog, some 10 MB; beyond it they are not copied
export const auditSyslogRetryMs = 2000; // until a syslog that can't be reached is tried again
export const auditSyslogSendMs = 10_000; // for one record or connection: what takes longer is broken
export const auditStdoutBytesMax = 8 * mib; // that wait for whoever reads the standard output
export const auditWitnessMs = 10_000; // for the answer of a witness: heads come at most each few seconds
export const auditCopyCloseMs = 2000; // for what still waits for a copy when the server ends, or the copy
export const auditCopyHandOverMs = 500; // for the same before another process goes on, while clients wait; after it, it is sent beside what that one sends
export const auditCopyComplaintMs = 60_000; // between two complaints in the log that a copy is not whole
export const auditAttemptsMax = 100_000; // paths of which it is known how often they were tried in vain

/** Memory for content on its way (`blocks.ts`). */
export const blockBytes = 256 * kib; // an SFTP packet of the longest kind, and a write that is worth a system call
export const smallBlockBytes = 40 * kib; // an SSH packet, or what most clients read and write at once (32 KiB), with what goes with it
export const blockBytesMin = 4 * kib; // Node takes less from memory that it shares out by itself
export const blocksKeptBytesMax = 32 * mib; // per process: memory that waits to be used again
export const socketReadBytes = 256 * kib; // at once, from whichever socket; one such piece for all of a process

/** Files that go (`storage/last-names.ts`). */
export const freedAtOnceBytesMax = 4 * mib; // below it, to give their room back takes less than 1 ms

/** Reads and writes of content that are done without a thread (`pace.ts`). */
export const spotBytesMax = blockBytes; // 60 to 130 us for as much; a thread costs 25 to 45 us more, and as long again on a busy machine
export const spotSlowMs = 2; // longer than the page cache takes
export const spotTurnMsMax = 10; // of such calls without a turn of the event loop, in which others are served
export const spotRestMs = 200; // what waits for the disk on the spot is at most this much of the time: 1 % for 2 ms

/** SSH. */
export const sshSessionsPerConnectionMax = 64; // 48 over one connection have been seen (ControlMaster)
export const sshPeerPacketBytesMin = kib; // a smaller packet size multiplies our work, 0 hangs ssh2
export const sshDataBytesMax = 32 * kib; // the packet size that ssh2 announces
export const sshIdentBytesMax = 255; // RFC 4253, section 4.2
export const sshPacketBytesMax = 35_000; // RFC 4253, section 6.1
export const sshFirstOfferMs = 300; // what a client has for its KEXINIT before it gets ours; nearly all send it at once
export const sshPreLoginBytesMax = mib; // a login needs some 10 KiB
export const sshPreLoginPacketsMax = 200; // a login with six keys needs some 30
export const sshRekeysPerMinuteMax = 60; // each costs up to 15 ms CPU; data allows for more
export const sshRekeyFreeBytes = 32 * kib; // data that allows for one more: OpenSSH with a small RekeyLimit needs it
export const sshTeardownMsMax = 1000; // what a peer gets to read our last words
export const sshRekeyBytes = 1024 * mib; // RFC 4253, section 9
export const sshWindowBytes = 2 * mib; // per channel: what a client may send before we have read it; as OpenSSH
export const sshWindowBytesMax = 16 * mib; // for a client that is far away: 1 Gbit/s over 130 ms, and all that scp has in flight
export const sshWindowGrowthBytesMax = 128 * mib; // of all channels of a process above what each begins with
export const sshWindowStallMsMin = 8; // a client that waits longer for a grant is held up by the window, or by a busy machine
export const sshWindowStallsMin = 2; // in a row: then it is the window. What a near client has in flight only costs memory
export const sshWindowFarStallMsMin = 40; // so long a wait is enough by itself: near clients of a busy machine seldom get there
export const sshOutboundBytes = 256 * kib; // per connection: above it in the socket's buffer, channels wait
export const sshOutboundBytesMax = 4 * mib; // of replies that a client makes us send and does not read
export const sshOutboundPacketsMax = 4096; // the same, during a key exchange that the client does not finish
export const sshKeepaliveMs = 30 * 1000; // as often as a silent client is asked whether it is there
export const sshKeepalivesUnansweredMax = 3;
export const sshLoginFailureMs = 100; // failed logins are answered in multiples of it; a look-up takes some 1 ms
export const sshChannelCloseMsMax = 5 * 1000; // how long a finished session waits for the client's CLOSE
export const sshSessionEndMsMax = 30 * 1000; // how long a closed connection waits for its sessions to clean up
export const sshRefusedRequestsMax = 1000; // per connection, so that a client can't flood the journal

/** Files that we read whole. */
export const configBytesMax = 16 * mib;
export const authorizedKeysBytesMax = mib;
export const authorizedKeysLinesMax = 10_000;

/** Interrupted uploads that are kept. */
export const partialBytesMin = mib; // less is sent again sooner than it is looked for
export const partialBlockBytes = 256 * kib; // what is kept ends at a multiple of it, below what came
export const partialUploadsMax = 64; // of one user: as many as the sessions of one connection; then the oldest goes
export const partialSweepMs = 60 * 60 * 1000; // how often those whose time is over are looked for

/** Catalog and quotas. */
export const versionSweepMs = 60 * 60 * 1000; // how often old versions are looked for: their age is told in days
export const catalogBusyMsMax = 5 * 1000; // waiting for another process's transaction, each of which takes some ms
export const catalogBlockMsMax = 5; // of that, how long at once nothing else goes on in this process
export const catalogRepairMsMin = 1000; // before what could not be noted is looked at again; twice as long each time
export const catalogRepairMsMax = 60 * 1000;
export const catalogRepairsMax = 1000; // names that could not be noted; beyond it the whole root is looked at
export const movedContentMsMax = 10 * 1000; // between a file's rename to its name and its note; beyond it a moved file's hash is lost
export const catalogPageEntries = 500; // read at once when all entries are gone through
export const catalogPagePauseMs = 5; // between pages of what nobody waits for; a page takes some 3 ms
export const catalogBatchEntries = 50; // looked at on the disk in one transaction: some 2 ms
export const quotaStepBytes = 16 * mib; // claimed ahead for an upload of undeclared size

/** Processes. */
export const workerRecordsMax = 10_000; // of one worker, not yet known to be on disk; beyond it attempts fail with AUDIT_FAILED
export const workerRecordsMs = 5; // a record that nobody waits for is with the supervisor after this time
export const workerBatchRecordsMax = 200; // or when there are so many
export const workerStartMsMax = 60 * 1000; // until a new worker serves; it opens the catalog and reads the host keys
export const parentLookMs = 1000; // how often a worker's second thread asks whether its supervisor is there
export const workerSignMs = 500; // how often a worker gives a sign of life
export const workerSlowMs = 2 * 1000; // one that was silent for longer gets no new connection while there is a better one
export const workerRespawnMsMin = 50; // the wait after a worker that died young; doubled each time
export const workerRespawnMsMax = 10 * 1000;
export const workerYoungMs = 10 * 1000; // one that lived longer is replaced at once
export const workerEndMsMax = 5 * 1000; // beyond its drain time; then it is killed
export const workerLastWordsMs = 50; // without a message after its end, and there is none any more
export const successorStartMsMax = 10 * 60 * 1000; // until a supervisor that takes over is ready; a new root is counted before
export const handOverQuietMsMax = 5 * 1000; // until every worker has answered; none is asked for more meanwhile
export const handOverTakeMsMax = 60 * 1000; // until the other one has the journal, which it reads to its end
export const handOverDepthMax = 8; // earlier supervisors that still have connections; each takes some 60 MB
export const workerMemoryFactorMax = 2; // of limits.workerMemoryMax, when a worker is killed that grows while it drains
export const retiredWorkersMax = 64; // that still have connections; beyond it the oldest gets only the drain time
export const retiredIdleMs = 5 * 1000; // how long a connection from before a reload may be without a session
export const socketsWaitingMsMax = 30 * 1000; // for a worker, while there is none
export const ownershipRecentChangesMax = 10_000; // remembered to tell which of two came first; older ones count as conflicts

/** Control and health. */
export const controlConnectionsMax = 16; // at one time; each is an operator's command
export const controlRequestBytesMax = 4 * kib;
export const controlRequestMsMax = 5 * 1000; // until a whole request has come
export const statusRowsMax = 1000; // connections and transfers in one status; the caps allow for many more
export const healthConnectionsMax = 32; // at one time
export const healthRequestMsMax = 10 * 1000; // for a whole request, and for its answer
export const healthBeatMsMax = 15 * 1000; // how old what is known of the disk may be before it counts as not ready
