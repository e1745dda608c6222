ZOOCFGDIR=$ZOO_CONF_DIR
ZOOCFG=$ZOOCFGDIR/zoo.cfg
CLASSPATH="$ZOOCFGDIR:$ZOOBINDIR/../lib/*"
JAVA=java
JMXDISABLE=true
# A heap for many on one machine, and a fast start.
JVMFLAGS="-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 $JVMFLAGS"
