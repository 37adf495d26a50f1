#!/usr/bin/env bash
# Runs inside a box that has dnf, rpm and createrepo-c: gives it two small rpms, `glibc` (the sonames that the box's libraries really provide) and
# `systemd` (upstream's update helper and file triggers, in /opt/compat), in a repository of its own, so that dnf installs as on an RPM system.
set -eu
SRC=/opt/compat
mkdir -p /srv/repo /tmp/rb/SOURCES /etc/rpm /etc/yum.repos.d
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros.dbpath
U=/usr/lib/systemd/systemd-update-helper
subst() { sed -e "s#{{SYSTEMD_UPDATE_HELPER_PATH}}#$U#g; s#{{SYSTEM_DATA_UNIT_DIR}}#/usr/lib/systemd/system#g; s#{{USER_DATA_UNIT_DIR}}#/usr/lib/systemd/user#g; s#{{SYSUSERS_DIR}}#/usr/lib/sysusers.d#g; s#{{TMPFILES_DIR}}#/usr/lib/tmpfiles.d#g; s#{{UDEV_HWDB_DIR}}#/usr/lib/udev/hwdb.d#g; s#{{SYSTEMD_CATALOG_DIR}}#/usr/lib/systemd/catalog#g; s#{{BINFMT_DIR}}#/usr/lib/binfmt.d#g; s#{{UDEV_RULES_DIR}}#/usr/lib/udev/rules.d#g; s#{{SYSCTL_DIR}}#/usr/lib/sysctl.d#g; s#{{LIBEXECDIR}}#/usr/lib/systemd#g; s#{{UPDATE_HELPER_USER_TIMEOUT_SEC}}#15#g" "$1"; }
subst $SRC/systemd-update-helper.in > /tmp/rb/SOURCES/systemd-update-helper
L=/usr/lib/x86_64-linux-gnu
{
cat <<S
Name: glibc
Version: $(dpkg-query -W -f '${Version}' libc6 | cut -d- -f1)
Release: 1
Summary: States what this Debian root has
License: none
Provides: rtld(GNU_HASH), shadow-utils, coreutils, procps-ng, bash
Provides: /bin/sh, /usr/bin/sh, /bin/bash, /usr/bin/bash, /usr/bin/kill, /bin/kill, /usr/sbin/useradd, /usr/bin/systemctl, /usr/bin/env
S
printf '%s\n' $L/libc.so.6 $L/libm.so.6 $L/libgcc_s.so.1 $L/ld-linux-x86-64.so.2 $L/libpthread.so.0 $L/libdl.so.2 $L/libssl.so.3 $L/libcrypto.so.3 /lib/x86_64-linux-gnu/libz.so.1 | xargs -n1 readlink -f | /usr/lib/rpm/rpmdeps --provides | sed 's/^/Provides: /'
cat <<S
%description
x
%files

%package -n systemd
Version: $(systemctl --version | awk 'NR==1{print $2}')
Summary: States that systemd is there, with upstream's rpm helper and file triggers
%description -n systemd
x
%install
install -D -m755 %{_sourcedir}/systemd-update-helper %{buildroot}$U
mkdir -p %{buildroot}/usr/lib/systemd/system-preset
echo 'disable *' > %{buildroot}/usr/lib/systemd/system-preset/99-default-disable.preset
%files -n systemd
$U
/usr/lib/systemd/system-preset/99-default-disable.preset
S
# upstream's file triggers, as they stand, less udev's; each gets -n systemd
subst $SRC/triggers.systemd.in | awk '/^%transfiletrigger/{keep = !/ udev /} keep' | sed -E 's/^(%transfiletrigger(in|postun))/\1 -n systemd/' | grep -v '^#'
} > /tmp/rb/c.spec
rpmbuild -bb --quiet --nodeps --define '_topdir /tmp/rb' --define '_rpmdir /srv/repo' --define '_build_id_links none' --define '__os_install_post %nil' --define 'debug_package %nil' --define '__brp_mangle_shebangs %nil' /tmp/rb/c.spec
createrepo_c --quiet /srv/repo
cat > /etc/yum.repos.d/local.repo <<S
[local]
name=local
baseurl=file:///srv/repo
enabled=1
gpgcheck=0
metadata_expire=1
S
