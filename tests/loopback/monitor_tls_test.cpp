// SPDX-License-Identifier: PostgreSQL
#include "tests/support/certificates.hpp"
#include "tests/support/fake_etcd.hpp"
#include "tests/support/monitor_fixture.hpp"

#include <doctest/doctest.h>
#include <stdexcept>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;

namespace
{

// Made once: key generation takes its time.
const certificates& pki()
{
    static const certificates made;
    return made;
}

config::cluster_settings with_tls(config::cluster_settings s, const config::client_tls& tls)
{
    s.patroni.tls = tls;
    return s;
}

} // namespace

TEST_SUITE("monitor: HTTPS")
{
    TEST_CASE("members are followed over HTTPS with the CA that signed their certificates")
    {
        fake_cluster cluster(2, pki().for_server());
        running_monitor monitor(with_tls(following({&cluster["a"]}), {pki().ca(), "", "", true}));

        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return monitor.member("b").read.verdict == admission::open; }));
    }

    TEST_CASE("a client certificate is shown where one is asked for")
    {
        fake_cluster cluster(2, pki().for_server(true));
        const config::client_tls tls{pki().ca(), pki().client_cert(), pki().client_key(), true};
        running_monitor monitor(with_tls(following({&cluster["a"]}), tls));

        CHECK(run_until([&] { return monitor.leads("a"); }));
    }

    TEST_CASE("without the client certificate that is asked for, the error names it")
    {
        fake_cluster cluster(1, pki().for_server(true));
        running_monitor monitor(with_tls(following({&cluster["a"]}), {pki().ca(), "", "", true}));

        CHECK(run_until([&] { return monitor.failed(cluster["a"].address(), "certificate"); }));
        CHECK(!monitor.leads("a"));
    }

    TEST_CASE("another CA: the certificate is refused, and the error says so")
    {
        fake_cluster cluster(1, pki().for_server());
        const config::client_tls tls{pki().other_ca(), "", "", true};
        running_monitor monitor(with_tls(following({&cluster["a"]}), tls));

        CHECK(run_until(
            [&] {
                return monitor.failed(
                    cluster["a"].address(), "TLS handshake: certificate verify failed"
                );
            }
        ));
        CHECK(monitor.seen().latest()->members.empty());
    }

    TEST_CASE("another CA is no matter with verify off")
    {
        fake_cluster cluster(1, pki().for_server());
        const config::client_tls tls{pki().other_ca(), "", "", false};
        running_monitor monitor(with_tls(following({&cluster["a"]}), tls));

        CHECK(run_until([&] { return monitor.leads("a"); }));
    }

    TEST_CASE("a certificate for another name is refused")
    {
        fake_cluster cluster(1, pki().for_server());
        auto settings = with_tls(following({&cluster["a"]}), {pki().ca(), "", "", true});
        settings.patroni.members = {{"localhost", cluster["a"].port()}};
        running_monitor monitor(settings);
        const auto seed = "localhost:" + std::to_string(cluster["a"].port());

        CHECK(run_until([&] { return monitor.failed(seed, "certificate verify failed"); }));
        CHECK(monitor.seen().latest()->members.empty());
    }

    TEST_CASE("HTTPS to a seed that speaks HTTP, and HTTP to one that speaks HTTPS, are errors")
    {
        fake_cluster plain(1);
        running_monitor too_safe(with_tls(following({&plain["a"]}), {pki().ca(), "", "", true}));
        fake_cluster encrypted(1, pki().for_server());
        running_monitor not_safe(following({&encrypted["a"]}));

        CHECK(run_until([&] { return too_safe.failed(plain["a"].address(), "TLS handshake: "); }));
        CHECK(run_until([&] { return not_safe.failed(encrypted["a"].address(), ""); }));
    }

    TEST_CASE("a TLS handshake that hangs is bounded by the timeout")
    {
        fake_cluster good(1, pki().for_server());
        fake_patroni mute;
        mute.answer("", reply::silence());
        auto settings = with_tls(following({&mute, &good["a"]}), {pki().ca(), "", "", true});
        settings.patroni.timeout = scaled(1s);
        running_monitor monitor(settings);

        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(run_until([&] { return monitor.failed(mute.address(), "TLS handshake: timed out"); })
        );
    }

    TEST_CASE("files that cannot be used are known before anything is started")
    {
        fake_patroni seed;
        for (const auto& tls : {
                 config::client_tls{"/nonexistent/ca.crt", "", "", true},
                 config::client_tls{
                     pki().ca(), "/nonexistent/client.crt", pki().client_key(), true},
                 config::client_tls{pki().ca(), pki().client_cert(), pki().ca(), true},
             })
        {
            const auto settings = with_tls(following({&seed}), tls);
            CHECK_THROWS_AS(make_monitor(settings), std::runtime_error);
        }
    }

    TEST_CASE("etcd is followed over TLS with a client certificate, and refuses without one")
    {
        fake_cluster cluster(2);
        fake_etcd etcd(1, pki().for_server(true));
        for (const char* name : {"a", "b"})
            etcd.put(
                "members/" + std::string(name), R"({"api_url":")" + cluster[name].url() + R"("})"
            );
        etcd.put("leader", "b");
        cluster.lead("b");
        auto settings = following({});
        settings.dcs.emplace();
        settings.dcs->scope = "demo";
        settings.dcs->hosts = {{"127.0.0.1", etcd.port()}};
        settings.dcs->tls = {pki().ca(), pki().client_cert(), pki().client_key(), true};
        running_monitor monitor(settings);
        settings.dcs->tls = {pki().ca(), "", "", true};
        running_monitor stranger(settings);

        CHECK(run_until(
            [&] { return monitor.seen().latest() && monitor.seen().latest()->dcs.connected; }
        ));
        CHECK(run_until([&] { return monitor.seen().latest()->lock.holder == "b"; }));
        etcd.put("leader", "a");
        CHECK(run_until([&] { return monitor.seen().latest()->lock.holder == "a"; }));
        CHECK(run_until([&] { return stranger.failed(etcd.address(), "certificate"); }));
    }
}
