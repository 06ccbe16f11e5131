// SPDX-License-Identifier: PostgreSQL
// pgjdbc as a client; see common.py.

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.Scanner;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;

import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

public class WithJdbc
{
    interface Situation
    {
        String run() throws Exception;
    }

    static final Map<String, String> env = System.getenv();
    static final Map<String, CountDownLatch> orders = new TreeMap<>();

    static synchronized void say(Object... words)
    {
        StringBuilder line = new StringBuilder();
        for (Object word : words)
            line.append(line.length() > 0 ? "\t" : "").append(String.valueOf(word).replaceAll("\\s+", " ").trim());
        System.out.println(line);
        System.out.flush();
    }

    static Connection connect() throws SQLException
    {
        Properties properties = new Properties();
        properties.setProperty("user", env.get("PGUSER"));
        properties.setProperty("password", env.get("PGPASSWORD"));
        properties.setProperty("sslmode", env.get("PGSSLMODE"));
        properties.setProperty("gssEncMode", "disable");
        properties.setProperty("prepareThreshold", "1");
        // Without it the driver's connect() asks queries of its own, and those may meet the end of the session.
        properties.setProperty("assumeMinServerVersion", "15");
        properties.setProperty("loginTimeout", env.get("PGCONNECT_TIMEOUT"));
        // How long it waits for the answer to SSLRequest, where a proxy may hold it; 5 s unless told.
        properties.setProperty("sslResponseTimeout", env.get("PGCONNECT_TIMEOUT") + "000");
        if (env.containsKey("PGSSLROOTCERT"))
            properties.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        String address = env.get("PGHOST") + ":" + env.get("PGPORT");
        return DriverManager.getConnection("jdbc:postgresql://" + address + "/" + env.get("PGDATABASE"), properties);
    }

    static String ask(Connection connection, String sql) throws SQLException
    {
        try (Statement statement = connection.createStatement())
        {
            if (!statement.execute(sql))
                return "";
            ResultSet rows = statement.getResultSet();
            rows.next();
            return rows.getString(1);
        }
    }

    static void basics() throws Exception
    {
        Connection connection = connect();
        say("select", ask(connection, "SELECT 42"));
        String tls = ask(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        say("tls", tls.equals("t") ? "True" : "False");

        ask(connection, "CREATE TEMPORARY TABLE t (x int)");
        connection.setAutoCommit(false);
        ask(connection, "INSERT INTO t VALUES (1)");
        connection.rollback();
        ask(connection, "INSERT INTO t VALUES (2)");
        connection.commit();
        connection.setAutoCommit(true);
        say("transaction", ask(connection, "SELECT count(*) FROM t"));

        try
        {
            ask(connection, "SELECT * FROM nowhere");
        }
        catch (SQLException error)
        {
            say("error", error.getSQLState());
        }
        say("after the error", ask(connection, "SELECT 7"));

        StringBuilder sums = new StringBuilder();
        try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + ?::int"))
        {
            for (int n = 1; n <= 3; ++n)
            {
                statement.setInt(1, n);
                statement.setInt(2, n + 1);
                ResultSet rows = statement.executeQuery();
                rows.next();
                sums.append(n > 1 ? " " : "").append(rows.getInt(1));
            }
        }
        say("prepared", sums);
        say("values", valuesComeBack(connection) ? "True" : "False");

        ask(connection, "LISTEN drivers");
        ask(connect(), "NOTIFY drivers, 'hello'");
        PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(0);
        say("notify", heard[0].getParameter());
    }

    static boolean valuesComeBack(Connection connection) throws SQLException
    {
        byte[] bytes = new byte[2048];
        for (int n = 0; n < bytes.length; ++n)
            bytes[n] = (byte) n;
        BigDecimal number = new BigDecimal("12345678901234567890.0123456789");
        Timestamp moment = Timestamp.valueOf("2026-02-28 23:59:59.999999");
        boolean same = true;
        try (PreparedStatement statement = connection.prepareStatement(
                 "SELECT ?::int8, ?::numeric, ?::bool, ?::text, ?::int[], ?::timestamp, ?::bytea"))
        {
            statement.setLong(1, Long.MIN_VALUE);
            statement.setBigDecimal(2, number);
            statement.setBoolean(3, true);
            statement.setString(4, null);
            statement.setArray(5, connection.createArrayOf("int4", new Integer[] {1, 2, 3}));
            statement.setTimestamp(6, moment);
            statement.setBytes(7, bytes);
            for (int turn = 0; turn < 3; ++turn)     // the later ones in binary form
            {
                ResultSet rows = statement.executeQuery();
                rows.next();
                same &= rows.getLong(1) == Long.MIN_VALUE && rows.getBigDecimal(2).equals(number) && rows.getBoolean(3)
                    && rows.getString(4) == null
                    && Arrays.equals((Object[]) rows.getArray(5).getArray(), new Integer[] {1, 2, 3})
                    && rows.getTimestamp(6).equals(moment) && Arrays.equals(rows.getBytes(7), bytes);
            }
        }
        return same;
    }

    static String idle() throws Exception
    {
        Connection connection = connect();
        ask(connection, "SELECT 1");
        say("ready", "idle");
        orders.get("idle").await();
        return ask(connection, "SELECT 1");
    }

    static String query() throws Exception
    {
        Connection connection = connect();
        ask(connection, "SELECT 1");
        say("ready", "query");
        return ask(connection, "SELECT pg_sleep(600)");
    }

    static String connecting() throws Exception
    {
        int count = 0;
        while (orders.get("connecting").getCount() > 0)
        {
            connect().close();
            if (++count == 1)
                say("ready", "connecting");
            Thread.sleep(20);
        }
        return count + " sessions";
    }

    static String waiting() throws Exception
    {
        say("ready", "waiting");
        orders.get("waiting").await();
        return ask(connect(), "SELECT pg_is_in_recovery()");
    }

    static Thread live(String name, Situation situation)
    {
        orders.put(name, new CountDownLatch(1));
        return new Thread(() -> {
            try
            {
                say("report", name, "fine", "-", situation.run());
            }
            catch (SQLException error)
            {
                String state = error.getSQLState() == null ? "-" : error.getSQLState();
                say("report", name, "error", state, error.getMessage());
            }
            catch (Exception error)
            {
                say("report", name, "error", "-", error);
            }
        });
    }

    public static void main(String[] arguments) throws Exception
    {
        if (arguments[0].equals("basics"))
        {
            basics();
            System.exit(0);
        }
        Thread[] threads = {live("idle", WithJdbc::idle), live("query", WithJdbc::query),
                            live("connecting", WithJdbc::connecting), live("waiting", WithJdbc::waiting)};
        Thread listener = new Thread(() -> {
            Scanner lines = new Scanner(System.in);
            while (lines.hasNextLine())
                orders.get(lines.nextLine().trim()).countDown();
        });
        listener.setDaemon(true);
        listener.start();
        for (Thread thread : threads)
            thread.start();
        for (Thread thread : threads)
            thread.join();
        System.exit(0);
    }
}
