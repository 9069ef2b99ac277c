//! Keys of Quadlet, systemd and fleet that are known and have no effect so far, and those that
//! never will. Honouring one moves its name from here to `keys.rs`.

use super::keys::{CONTAINER, FLEET, INSTALL, SERVICE, UNIT};
use super::table::{NotYet, Refused, not_yet, refused};

/// Of `[Unit]`, whatever the unit is.
#[rustfmt::skip]
pub const OF_UNIT: &[NotYet] = &[
    not_yet(UNIT, "Before", "no other unit waits for this one"),
    not_yet(UNIT, "Requisite BindsTo PartOf Upholds PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf", "the unit starts and stops on its own"),
    not_yet(UNIT, "Conflicts", "both units may run at once"),
    not_yet(UNIT, "OnFailure OnSuccess OnFailureJobMode OnSuccessJobMode", "no other unit is started"),
    not_yet(UNIT, "StartLimitAction FailureAction SuccessAction FailureActionExitStatus SuccessActionExitStatus RebootArgument JobTimeoutSec JobRunningTimeoutSec JobTimeoutAction", "the host goes on"),
    not_yet(UNIT, "ConditionPathExists ConditionPathExistsGlob ConditionPathIsDirectory ConditionPathIsMountPoint ConditionPathIsReadWrite ConditionDirectoryNotEmpty ConditionFileNotEmpty ConditionFileIsExecutable ConditionHost ConditionArchitecture ConditionVirtualization ConditionKernelCommandLine ConditionKernelVersion ConditionKernelModuleLoaded ConditionCapability ConditionSecurity ConditionEnvironment ConditionUser ConditionGroup ConditionControlGroupController ConditionMemory ConditionCPUs ConditionCPUFeature ConditionOSRelease ConditionACPower ConditionNeedsUpdate ConditionFirstBoot ConditionCredential ConditionVersion ConditionMemoryPressure ConditionCPUPressure ConditionIOPressure", "the unit starts in any case"),
    not_yet(UNIT, "AssertPathExists AssertPathExistsGlob AssertPathIsDirectory AssertPathIsMountPoint AssertPathIsReadWrite AssertDirectoryNotEmpty AssertFileNotEmpty AssertFileIsExecutable AssertHost AssertArchitecture AssertVirtualization AssertKernelCommandLine AssertKernelVersion AssertCapability AssertSecurity AssertEnvironment AssertUser AssertGroup AssertControlGroupController AssertMemory AssertCPUs AssertOSRelease AssertACPower", "the unit starts in any case"),
    not_yet(UNIT, "RequiresMountsFor WantsMountsFor", "no mount is waited for"),
    not_yet(UNIT, "StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate DefaultDependencies SurviveFinalKillSignal CollectMode SourcePath", "the unit starts and stops when it is asked to"),
];

#[rustfmt::skip]
pub const NOT_YET: &[NotYet] = &[
    not_yet(CONTAINER, "ContainerName ServiceName", "the container is found by its unit's name"),
    not_yet(CONTAINER, "EnvironmentHost HttpProxy", "the host's environment stays out"),
    not_yet(CONTAINER, "Mount Tmpfs ReadOnlyTmpfs ShmSize Rootfs", "nothing is mounted for it"),
    not_yet(CONTAINER, "ExposeHostPort", "no port is published: PublishPort= does"),
    not_yet(CONTAINER, "Pod StartWithPod", "the container has a network of its own"),
    not_yet(CONTAINER, "Label Annotation", "nothing is labelled: [X-Fleet] has Label= for what chooses among units"),
    not_yet(CONTAINER, "GroupAdd", "the program has no further groups"),
    not_yet(CONTAINER, "UserNS UIDMap GIDMap SubUIDMap SubGIDMap RemapUid RemapGid RemapUsers RemapUidSize", "user ids are the host's"),
    not_yet(CONTAINER, "AutoUpdate Pull Retry RetryDelay", "an image that is there is used as it is"),
    not_yet(CONTAINER, "HealthOnFailure HealthLogDestination HealthMaxLogCount HealthMaxLogSize", "an unhealthy unit is shown as such"),
    not_yet(CONTAINER, "HealthStartupCmd HealthStartupInterval HealthStartupRetries HealthStartupSuccess HealthStartupTimeout", "only HealthCmd= is run"),
    not_yet(CONTAINER, "ReloadCmd ReloadSignal", "the unit cannot be reloaded"),
    not_yet(CONTAINER, "RunInit", "the program is process 1 itself"),
    not_yet(CONTAINER, "Ulimit Sysctl", "the defaults of the host and the kernel hold"),
    not_yet(CONTAINER, "AddCapability DropCapability", "the default capabilities hold"),
    not_yet(CONTAINER, "NoNewPrivileges", "the default holds"),
    not_yet(CONTAINER, "SeccompProfile", "the default filter holds"),
    not_yet(CONTAINER, "AppArmor SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested SecurityLabelType", "no label is set"),
    not_yet(CONTAINER, "Mask Unmask", "the default paths are masked"),
    not_yet(CONTAINER, "AddDevice", "the container has the default devices only"),
    not_yet(CONTAINER, "LogDriver LogOpt", "the output goes to the unit's log"),
    not_yet(CONTAINER, "Timezone", "the image's time zone holds"),
    not_yet(CONTAINER, "CgroupsMode", "every container has a cgroup of its own"),

    not_yet(SERVICE, "ExecStartPre ExecStartPost ExecCondition ExecReload ExecStop ExecStopPost", "the command is not run"),
    not_yet(SERVICE, "Environment EnvironmentFile PassEnvironment UnsetEnvironment", "the program does not see it: [Container] has Environment="),
    not_yet(SERVICE, "User Group DynamicUser SupplementaryGroups", "the program runs as [Container] says in User="),
    not_yet(SERVICE, "WorkingDirectory RootDirectory RootImage", "the image and [Container] WorkingDir= hold"),
    not_yet(SERVICE, "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus RestartMode", "only an exit code of 0 is a good end"),
    not_yet(SERVICE, "RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutAbortSec TimeoutStartFailureMode TimeoutStopFailureMode", "there is no such time limit"),
    not_yet(SERVICE, "WatchdogSec WatchdogSignal NotifyAccess FileDescriptorStoreMax", "nothing is expected of the program"),
    not_yet(SERVICE, "KillMode SendSIGKILL SendSIGHUP FinalKillSignal RestartKillSignal", "the first process is asked to end, then all are killed"),
    not_yet(SERVICE, "StateDirectory CacheDirectory LogsDirectory RuntimeDirectory ConfigurationDirectory StateDirectoryMode CacheDirectoryMode LogsDirectoryMode RuntimeDirectoryMode RuntimeDirectoryPreserve", "no directory is made: Volume= brings one"),
    not_yet(SERVICE, "LoadCredentialEncrypted SetCredentialEncrypted ImportCredential", "the program gets no credential by it: LoadCredential= does"),
    not_yet(SERVICE, "LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME UMask Nice CPUSchedulingPolicy CPUSchedulingPriority IOSchedulingClass IOSchedulingPriority CPUAffinity", "the defaults of the host hold"),
    not_yet(SERVICE, "OOMPolicy OOMScoreAdjust", "the kernel's defaults hold"),
    not_yet(SERVICE, "StandardInput StandardOutput StandardError SyslogIdentifier TTYPath LogRateLimitIntervalSec LogRateLimitBurst", "the output goes to the unit's log"),
    not_yet(SERVICE, "ProtectSystem ProtectHome ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups ProtectClock ProtectHostname ProtectProc PrivateTmp PrivateDevices PrivateNetwork PrivateUsers PrivateIPC PrivateMounts NoNewPrivileges CapabilityBoundingSet AmbientCapabilities SystemCallFilter SystemCallErrorNumber SystemCallArchitectures RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute ReadWritePaths ReadOnlyPaths InaccessiblePaths BindPaths BindReadOnlyPaths TemporaryFileSystem", "the container's own walls hold"),
    not_yet(SERVICE, "CPUWeight StartupCPUWeight CPUQuotaPeriodSec AllowedCPUs AllowedMemoryNodes MemoryMin MemoryLow MemoryHigh MemorySwapMax MemoryZSwapMax IOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax CPUAccounting MemoryAccounting IOAccounting TasksAccounting ManagedOOMSwap ManagedOOMMemoryPressure", "there is no such limit"),
    not_yet(SERVICE, "Slice Delegate DelegateSubgroup", "the container's cgroup is where fleetd keeps all of them"),
    not_yet(SERVICE, "IPAddressAllow IPAddressDeny DeviceAllow DevicePolicy SocketBindAllow SocketBindDeny", "there is no such rule"),
    not_yet(SERVICE, "PIDFile BusName GuessMainPID RootDirectoryStartOnly NonBlocking Sockets ExitType", "the container's first process is the main one"),

    not_yet(INSTALL, "Alias Also UpheldBy", "the unit has one name and starts alone"),
    not_yet(INSTALL, "DefaultInstance", "an instance is always named"),

    not_yet(FLEET, "MinReplicas MaxReplicas TargetCPU", "the unit runs once"),
    not_yet(FLEET, "Update MaxUnavailable MaxSurge", "a new file takes effect at the next start"),
];

/// What only an engine of its own could honour.
pub const REFUSED: &[Refused] = &[
    refused(CONTAINER, "PodmanArgs", of_run),
    refused(CONTAINER, "GlobalArgs", of_run),
    refused(CONTAINER, "ContainersConfModule", |_| {
        "there is no podman here to configure".to_owned()
    }),
    refused(SERVICE, "ExecStart", |_| {
        "a container's command is Exec= in [Container]; a plain program is a .service".to_owned()
    }),
    refused(FLEET, "X-ConditionMachineBootID", |_| {
        "a boot id is another one after every boot: write MachineID=".to_owned()
    }),
];

/// Options of `podman run` and the keys that do the same.
const NATIVE: &[(&str, &str)] = &[
    ("--cpus", "CPUQuota= in [Service]"),
    ("--memory", "MemoryMax= in [Service]"),
    ("-m", "MemoryMax= in [Service]"),
    ("--pids-limit", "TasksMax= in [Service]"),
    ("--env", "Environment="),
    ("-e", "Environment="),
    ("--env-file", "EnvironmentFile="),
    ("--publish", "PublishPort="),
    ("-p", "PublishPort="),
    ("--volume", "Volume="),
    ("-v", "Volume="),
    ("--mount", "Volume="),
    ("--user", "User="),
    ("-u", "User="),
    ("--workdir", "WorkingDir="),
    ("-w", "WorkingDir="),
    ("--entrypoint", "Entrypoint="),
    ("--network", "Network="),
    ("--network-alias", "NetworkAlias="),
    ("--ip", "IP="),
    ("--ip6", "IP6="),
    ("--dns", "DNS="),
    ("--dns-search", "DNSSearch="),
    ("--dns-option", "DNSOption="),
    ("--add-host", "AddHost="),
    ("--hostname", "HostName="),
    ("-h", "HostName="),
    ("--net", "Network="),
    ("--read-only", "ReadOnly="),
    ("--restart", "Restart= in [Service]"),
    ("--stop-signal", "StopSignal="),
    ("--stop-timeout", "TimeoutStopSec= in [Service]"),
    ("--health-cmd", "HealthCmd="),
    ("--health-interval", "HealthInterval="),
    ("--health-timeout", "HealthTimeout="),
    ("--health-retries", "HealthRetries="),
    ("--health-start-period", "HealthStartPeriod="),
];

fn of_run(value: &str) -> String {
    native(NATIVE, value)
}

/// Names the key for the first option that has one.
pub fn native(options: &[(&str, &str)], value: &str) -> String {
    let option = |word: &'_ str| word.split('=').next().unwrap_or(word).to_owned();
    let known = |word: &str| options.iter().find(|(known, _)| *known == option(word));
    match value.split_whitespace().find_map(known) {
        Some((option, key)) => format!("there is no podman here: for {option} write {key}"),
        None => "there is no podman here: write the key of what it sets".to_owned(),
    }
}
