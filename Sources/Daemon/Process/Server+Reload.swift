/// A reload: the file is read, what it needs is opened and bound, and only when nothing can fail any more is anything
/// changed. Then each worker takes the new configuration between two of its turns; when all have, it is over.
import ConfigFile
import Gateway
import Logging
import Polling
import Reactor

/// A reload that not all workers have taken.
struct PendingReload {
    /// nil: a signal asked.
    let asker: Asker?
    /// Sections that differ.
    let changes: [String]
    /// The access log's writer before, if it is another one now.
    let retiring: LogWriter?
}

extension Server {
    /// Reads the file again. A file with errors changes nothing; what is wrong is told to the asker, the log, the
    /// status and the metrics.
    func reload(for asker: Asker?) {
        if !drainPlan.isLeaving { supervisor.tell(.reloading(microseconds: EventLoop.monotonicNanoseconds() / 1000)) }
        do {
            try takeConfiguration(for: asker)
        } catch let errors as ConfigurationErrors {
            refuse(errors.errors.map { "\($0)" }, asker)
        } catch {
            refuse(["\(error)"], asker)
        }
    }

    private func refuse(_ errors: [String], _ asker: Asker?) {
        door.reloads.refused += 1
        door.reloads.error = errors.joined(separator: "\n")
        for error in errors { log.error("\(error)") }
        log.error("the configuration was not reloaded; the old one stays")
        if !drainPlan.isLeaving {
            supervisor.tell(.ready(status: "serving; a reload was refused: \(errors.first ?? "")"))
        }
        answer(asker, errors)
    }

    private func answer(_ asker: Asker?, _ errors: [String]) {
        guard let asker else { return }
        hub.door(of: asker.worker).post(.reloaded(asker, errors: errors))
    }

    private func takeConfiguration(for asker: Asker?) throws {
        guard !drainPlan.isLeaving else { throw StartError(description: "this process is ending; nothing is reloaded") }
        guard successor == nil else {
            throw StartError(
                description: hasLeft
                    ? "another process has taken the place of this one; nothing is reloaded"
                    : "an upgrade is under way; nothing is reloaded")
        }
        let fresh = try Configuration.load(path: path, environment: environment)
        let fixed = Configuration.changesThatNeedRestart(from: configuration, to: fresh)
        guard fixed.isEmpty else {
            throw StartError(description: "\(path): these change at a restart only: \(fixed.joined(separator: ", "))")
        }
        let keepsAccessLog =
            fresh.log.access == configuration.log.access && fresh.log.accessFormat == configuration.log.accessFormat
        let access = keepsAccessLog ? accessWriter : try AccessLog.writer(for: fresh.log, sharing: writer)
        var (group, freshWatch) = (upstream, watch)
        let haveSocketsChanged: Bool
        do {
            // What is known of the servers stays, unless they are others now.
            if fresh.upstream != configuration.upstream {
                group = UpstreamGroup(fresh.upstream, hub: hub, log: log)
                freshWatch = try UpstreamWatch(loop: loop, group: group)
            }
            // The last that can fail.
            haveSocketsChanged = try sockets.change(to: fresh, log: log)
        } catch {
            if let access, access !== accessWriter, access !== writer { access.end() }
            throw error
        }
        let previous = accessWriter
        let changes = Configuration.changes(from: configuration, to: fresh)
        (accessWriter, upstream, watch, configuration) = (access, group, freshWatch, fresh)
        logSettings.change(to: fresh.log)
        writer.setForm(isJSON: fresh.log.format == .json)
        changePool(PoolLimits(of: fresh.pool))
        let retiring = previous === access || previous === writer ? nil : previous
        let generation = reloads.began()
        pendingReloads[generation] = PendingReload(asker: asker, changes: changes, retiring: retiring)
        tellWorkers(makeService(fresh, upstream), haveSocketsChanged, generation)
    }

    private func changePool(_ limits: PoolLimits) {
        // With a store, its thread alone may come between a plan and what comes of it.
        if let store = hub.store { return store.setLimits(limits) }
        let now = Moment(nanoseconds: loop.now)
        hub.withPool { $0.setLimits(limits, now: now) }
    }

    private func tellWorkers(_ service: Service, _ haveSocketsChanged: Bool, _ generation: UInt64) {
        for index in 0..<configuration.workers {
            let share = haveSocketsChanged ? sockets.share(of: index) : nil
            hub.door(of: WorkerNumber(index)).post(.serve(service, share, generation: generation))
        }
    }

    // MARK: Its end

    /// A worker has taken a configuration.
    func serves(_ worker: WorkerNumber, _ generation: UInt64) {
        if let done = reloads.took(generation, worker: worker.index) { endReloads(Array(done)) }
    }

    func endReloads(_ generations: [UInt64]) {
        for generation in generations.sorted() {
            guard let pending = pendingReloads.removeValue(forKey: generation) else { continue }
            door.reloads.done += 1
            door.reloads.error = nil
            door.reloads.succeededAt = Int64(WallTime.now.seconds)
            log.info("configuration reloaded", metadata: ["changed": "\(pending.changes.joined(separator: ","))"])
            if !drainPlan.isLeaving { supervisor.tell(.ready(status: "serving")) }
            answer(pending.asker, [])
            guard let writer = pending.retiring else { continue }
            writer.retire()
            retired.append(writer)
        }
    }

    /// Lets go of log writers that have written all they had.
    func endRetired() {
        // One that ends between two looks is not to be dropped without its `end`.
        let ended = retired.filter(\.hasEnded)
        for writer in ended { writer.end() }
        retired.removeAll { writer in ended.contains { $0 === writer } }
    }
}
